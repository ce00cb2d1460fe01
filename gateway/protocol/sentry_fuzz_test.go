package protocol

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzEnvelope: whatever the body, the payloads are pieces of it, in order, that do not overlap. Where the body is an
// envelope as the specification has it, they are the payloads of a simple reader.
func FuzzEnvelope(f *testing.F) {
	for _, seed := range []string{
		"{}\n{\"type\":\"event\"}\n{\"message\":\"a\"}",
		"{\"event_id\":\"efad4c3f4770472a90f5039ee5f1184e\"}\r\n\r\n{\"type\":\"attachment\",\"length\":3}\r\n1\n2\r\n{\"type\":\"log\"}\n[]\n\n",
		"{}\n{\"type\":\"span\"}\n{\"x\":[1],\"items\":[{\"span_id\":\"1\"} , 7,{\"a\":]}\n{\"type\":\"span\"}\n{\"span_id\":\"1\"}",
		"{}\n{\"type\":\"client_report\"}\n{\"discarded_events\":[{\"reason\":\"a\",\"category\":\"error\",\"quantity\":3}]}",
		"{}\n{\"type\":\"a\",\"length\":5}\n1\n2\n", "{\n{", "{}\n{\"type\":\"\\ud800\"}\n\xff", "",
	} {
		f.Add([]byte(seed))
	}
	var r envelopeReader
	r.init()
	var sp envelopeSplitter
	sp.init()
	f.Fuzz(func(t *testing.T, body []byte) {
		checkParts(t, &sp, body)
		_, ok := r.begin(body)
		items, at := []envelopeItem{}, 0
		for it, more := r.next(); more; it, more = r.next() {
			at = offsetOf(t, body, it.payload, at) + len(it.payload)
			items = append(items, it)
			if len(items) > len(body) {
				t.Fatal("more items than bytes")
			}
		}
		if r.pos != len(body) {
			t.Fatalf("it stopped at %d of %d", r.pos, len(body))
		}
		if want, strict := strictEnvelope(body); strict {
			if !ok || len(items) != len(want) {
				t.Fatalf("%q: %d items, want %d", body, len(items), len(want))
			}
			for i := range want {
				if !bytes.Equal(items[i].payload, want[i]) {
					t.Fatalf("%q: item %d is %q, want %q", body, i, items[i].payload, want[i])
				}
			}
		}
		r.release()
	})
}

// pieces are envelopeParts that check that events are pieces of the body, in order.
type pieces struct {
	t     *testing.T
	body  []byte
	at    int
	parts int
}

func (p *pieces) event(raw []byte, _ bool) {
	p.at = offsetOf(p.t, p.body, raw, p.at) + len(raw)
	p.parts++
}

func (p *pieces) cut()          { p.parts++ }
func (p *pieces) ignore(string) { p.parts++ }

func (p *pieces) discard(_, _ string, n int) {
	if n <= 0 {
		p.t.Fatalf("%d discarded", n)
	}
	p.parts++
}

// checkParts splits the body into its parts.
func checkParts(t *testing.T, sp *envelopeSplitter, body []byte) {
	t.Helper()
	defer sp.release()
	to := &pieces{t: t, body: body}
	sp.to = to
	sp.reader.begin(body)
	if items := sp.split(); items > to.parts && !bytes.Contains(body, []byte("[")) {
		t.Fatalf("%q: %d items and %d parts", body, items, to.parts)
	}
	if to.parts > len(body) {
		t.Fatalf("%q: %d parts", body, to.parts)
	}
}

// offsetOf returns where in the body a payload lies, which must be at or behind a position.
func offsetOf(t *testing.T, body, payload []byte, least int) int {
	t.Helper()
	if len(payload) == 0 {
		return least
	}
	for i := least; i+len(payload) <= len(body); i++ {
		if &body[i] == &payload[0] {
			return i
		}
	}
	t.Fatalf("%q is no piece of %q behind %d", payload, body, least)
	return 0
}

// strictEnvelope returns the payloads of an envelope that is exactly as the specification has it.
func strictEnvelope(body []byte) (payloads [][]byte, strict bool) {
	header, rest, _ := bytes.Cut(body, []byte("\n"))
	var any map[string]json.RawMessage
	if !isStrict(header) || json.Unmarshal(header, &any) != nil {
		return nil, false
	}
	for len(rest) > 0 {
		header, rest, _ = bytes.Cut(rest, []byte("\n"))
		var item struct {
			Type   *string
			Length *uint32
		}
		if !isStrict(header) || json.Unmarshal(header, &item) != nil || item.Type == nil || *item.Type == "" {
			return nil, false
		}
		var payload []byte
		if item.Length == nil {
			payload, rest, _ = bytes.Cut(rest, []byte("\n"))
			if bytes.HasSuffix(payload, []byte("\r")) {
				return nil, false
			}
		} else {
			n := int(*item.Length)
			if n > len(rest) || n < len(rest) && rest[n] != '\n' {
				return nil, false
			}
			payload, rest = rest[:n], rest[min(n+1, len(rest)):]
		}
		payloads = append(payloads, payload)
	}
	return payloads, true
}

// isStrict reports whether a header has only what the two readers of JSON agree about: an object with a few plain
// names, in lower case, each once.
func isStrict(header []byte) bool {
	for _, c := range header {
		if c < ' ' || c > '~' || c == '\\' || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return bytes.HasPrefix(header, []byte("{")) && bytes.HasSuffix(header, []byte("}")) &&
		bytes.Count(header, []byte(`"type"`)) <= 1 && bytes.Count(header, []byte(`"length"`)) <= 1 &&
		bytes.Count(header, []byte(`":`)) <= 3 && !bytes.Contains(header, []byte(" ")) && distinct(header)
}

// distinct reports whether no name of the header comes twice.
func distinct(header []byte) bool {
	seen := map[string]bool{}
	d := json.NewDecoder(bytes.NewReader(header))
	for {
		token, err := d.Token()
		if err != nil {
			return true
		}
		if name, is := token.(string); is {
			if seen[name] {
				return false
			}
			seen[name] = true
		}
	}
}
