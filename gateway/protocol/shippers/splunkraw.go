package shippers

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"sluice/gateway/ingest"
	"sluice/internal/format"
)

// SplunkRaw is the same for text: each line is an event.
var SplunkRaw = &ingest.Protocol{
	Name: "splunk", Format: format.Splunk, Bulk: true, DerivesIDs: true, ResendsWhole: true, Key: ingest.FindKey,
	Split: splitSplunkRaw, Answer: answerSplunk, Refuse: refuseSplunk,
}

// splitSplunkRaw makes an event of every line that is not blank. Host, source, sourcetype, index and time come from the
// query.
func splitSplunkRaw(s *ingest.Submission) *ingest.Problem {
	sh := beginShipped(s)
	defer sh.end()
	head := []byte("{")
	for _, name := range [...]string{"time", "host", "source", "sourcetype", "index"} {
		if v := s.Ctx.QueryArgs().Peek(name); len(v) > 0 {
			head = append(head, '"')
			head = append(append(head, name...), `":`...)
			head = append(appendString(head, v), ',')
		}
	}
	head = append(head, `"event":`...)
	for lines := s.Body(); len(lines) > 0; {
		var line []byte
		line, lines, _ = bytes.Cut(lines, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if p := full(s); p != nil {
			return p
		}
		raw := make([]byte, 0, len(head)+len(line)+len(line)/8+3)
		raw = append(appendString(append(raw, head...), line), '}')
		if p := sh.compose(s, len(raw)); p != nil {
			return p
		}
		sh.take(s, format.Splunk, raw)
	}
	if len(s.Items()) == 0 {
		return errSplunkNoData
	}
	return nil
}

var errSplunkNoData = ingest.Refuse(ingest.KindEmpty, "There is no event.")

// appendString appends text as a JSON string. What is not UTF-8 becomes U+FFFD.
func appendString(dst, text []byte) []byte {
	if plainString(text) {
		dst = append(append(dst, '"'), text...)
		return append(dst, '"')
	}
	quoted, err := json.Marshal(string(text))
	if err != nil { // impossible: every string has a JSON form
		quoted = []byte(`""`)
	}
	return append(dst, quoted...)
}

// plainString reports whether text stands in a JSON string as it is.
func plainString(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c == '"' || c == '\\' {
			return false
		}
	}
	return utf8.Valid(text)
}
