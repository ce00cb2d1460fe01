package event

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzSplitBulk compares the items of whatever another reader takes for an array, and checks that items are pieces of
// the body, in order, whatever it is.
func FuzzSplitBulk(f *testing.F) {
	for _, c := range bulks {
		if len(c.body) > 1000 {
			continue // long seeds leave no time for others
		}
		for form := FormJSON; form <= FormAuto; form++ {
			f.Add([]byte(c.body), uint8(form))
		}
	}
	var b Bulk
	f.Fuzz(func(t *testing.T, body []byte, form uint8) {
		form %= 3
		err := SplitBulk(body, Form(form), &b)
		if (err == nil) != (len(b.Items) > 0) {
			t.Fatalf("%d items and %v", len(b.Items), err)
		}
		checkPieces(t, body, b.Items)
		checkOnePass(t, body, Form(form), b.Items, err)
		if form == uint8(FormNDJSON) {
			checkLines(t, body, b.Items)
			return
		}
		array, isArray := referenceItems(body)
		switch {
		case isArray:
			if !sameItems(b.Items, array) {
				t.Fatalf("%q: got %q, want %q", body, b.Items, array)
			}
		case err == nil && bytes.HasPrefix(trimSpace(body), []byte("[")):
			// It was split although it is not JSON: then some item by itself is not.
			for _, item := range b.Items {
				if !lenient(item).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) {
					return
				}
			}
			t.Fatalf("%q: every item of %q is valid but not the whole", body, b.Items)
		}
	})
}

// checkOnePass compares DecodeBulk with SplitBulk and a Decode for each item.
func checkOnePass(t *testing.T, body []byte, form Form, items [][]byte, want error) {
	t.Helper()
	const most = 100 // bytes an event
	var b Bulk
	d := Decoder{MaxBytes: most}
	n := 0
	got := DecodeBulk(body, form, most, &b, func(i int, raw []byte, ev *Event, err error) {
		if i != n {
			t.Fatalf("%q: item %d came when %d was due", body, i, n)
		}
		n++
		if want != nil {
			return // items before the fault, which do not count
		}
		if i >= len(items) || !bytes.Equal(raw, items[i]) || cap(raw) != len(raw) {
			t.Fatalf("%q: item %d is %q, want %q", body, i, raw, items)
		}
		var alone Event
		if e := d.Decode(bytes.Clone(raw), &alone); !reflect.DeepEqual(e, err) {
			t.Fatalf("%q: item %q: %v, by itself %v", body, raw, err, e)
		}
		if err == nil && !sameEvent(ev, &alone) {
			t.Fatalf("%q: item %q: %+v, by itself %+v", body, raw, ev, alone)
		}
	})
	if !reflect.DeepEqual(got, want) || want == nil && n != len(items) || len(b.Items) != 0 {
		t.Fatalf("%q: %d items and %v, want %d and %v", body, n, got, len(items), want)
	}
}

func sameEvent(a, b *Event) bool {
	// Nothing and no items are the same, and so are offsets of repairs and the payload that comes of them.
	text := func(ev *Event) string { return strings.ReplaceAll(fmt.Sprintf("%+v", *ev), "<nil>", "[]") }
	return text(a) == text(b)
}

func checkPieces(t *testing.T, body []byte, items [][]byte) {
	t.Helper()
	at := 0
	for _, item := range items {
		i := bytes.Index(body[at:], item)
		if i < 0 || len(item) == 0 || !bytes.Equal(trimSpace(item), item) || cap(item) != len(item) {
			t.Fatalf("%q: %q is no piece", body, item)
		}
		at += i + len(item)
	}
}

func checkLines(t *testing.T, body []byte, items [][]byte) {
	t.Helper()
	var want [][]byte
	for line := range bytes.SplitSeq(body, []byte("\n")) {
		if line = bytes.Trim(line, " \t\r"); len(line) > 0 {
			want = append(want, line)
		}
	}
	if !sameItems(items, want) {
		t.Fatalf("%q: got %q, want %q", body, items, want)
	}
}

func sameItems(a, b [][]byte) bool {
	if len(b) > MaxBulkEvents {
		return len(a) == 0
	}
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

type lenient = jsontext.Value

// referenceItems reads an array of JSON values that may break the rules that only Decode knows.
func referenceItems(body []byte) (items [][]byte, ok bool) {
	options := []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
	if !lenient(body).IsValid(options...) || body[bytes.IndexAny(body, "[{\"-0123456789tfn")] != '[' {
		return nil, false
	}
	dec := jsontext.NewDecoder(bytes.NewReader(body), options...)
	if _, err := dec.ReadToken(); err != nil {
		return nil, false
	}
	for dec.PeekKind() != ']' {
		value, err := dec.ReadValue()
		if err != nil {
			return nil, false
		}
		items = append(items, bytes.Clone(value))
	}
	return items, true
}
