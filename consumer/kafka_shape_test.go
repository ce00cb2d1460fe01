package consumer

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"sluice/internal/event"
)

// Whatever the headers of the records before were like, each record's are read as they are: the same names with other values, values of
// other lengths, names that differ in a byte, null, none, and more than a shape holds.
func TestHeadersOfAnyShape(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 3)) //nolint:gosec // repeatable
		text := func(n int) []byte {
			b := make([]byte, n)
			for i := range b {
				b[i] = "ab\x00\xff"[rnd.IntN(4)]
			}
			return b
		}
		var plain []byte
		var records []record
		headers := plainHeaders(0)
		for n := range 60 {
			headers = append([]event.Header(nil), headers...)
			for i := range headers {
				if headers[i].Value != nil {
					headers[i].Value = text(len(headers[i].Value))
				}
			}
			i := rnd.IntN(len(headers) + 1)
			switch change := rnd.IntN(16); {
			case change == 0 && rnd.IntN(4) == 0:
				headers = plainHeaders(n)
			case i == len(headers):
			case change == 1:
				headers[i].Value = text(rnd.IntN(300) * rnd.IntN(2))
			case change == 2:
				name := []byte(headers[i].Key)
				name[rnd.IntN(len(name))]++
				headers[i].Key = string(name)
			case change == 3:
				headers[i].Value = nil
			case change == 4 || change > 12:
				headers = append(headers, event.Header{Key: strings.Repeat("k", 1+rnd.IntN(9)), Value: text(rnd.IntN(9))})
			case change == 5:
				headers = headers[:i]
			}
			r := record{offset: int64(n), value: text(rnd.IntN(200)), headers: headers}
			records = append(records, r)
			plain = appendRecord(plain, &r)
		}
		reader, i := &batchReader{}, 0
		if err := reader.records(plain, 0, len(records), 0, func(r *record) error {
			want := &records[i]
			if len(r.headers) != len(want.headers) || len(want.headers) > 0 && !reflect.DeepEqual(r.headers, want.headers) {
				t.Fatalf("seed %d, record %d: %q, want %q", seed, i, r.headers, want.headers)
			}
			if string(r.value) != string(want.value) || r.offset != want.offset {
				t.Fatalf("seed %d, record %d: %d %q", seed, i, r.offset, r.value)
			}
			i++
			return nil
		}); err != nil || i != len(records) {
			t.Fatalf("seed %d: %d records, %v", seed, i, err)
		}
	}
}

// plainHeaders are the gateway's.
func plainHeaders(n int) []event.Header {
	r := benchRecord(n, 200)
	return r.headers
}
