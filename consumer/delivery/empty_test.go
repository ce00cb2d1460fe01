package delivery

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// The head passes what is empty once nothing lies before it, and what was lost there is told once.
func TestSkip(t *testing.T) {
	r := NewRanges(10, nil, -1)
	if !r.Skip(12, 2, 5) || r.Head != 12 || r.Origin.Term != 5 {
		t.Errorf("head %d, term %d", r.Head, r.Origin.Term)
	}
	if lost, cuts := r.Told(); lost != 2 || cuts != 0 {
		t.Errorf("%d lost, %d cuts", lost, cuts)
	}
	if lost, _ := r.Told(); lost != 0 {
		t.Errorf("told again: %d", lost)
	}
	if err := r.Record(spanOf(12, 14)); err != nil {
		t.Fatal(err)
	}
	if r.Skip(20, 3, 6) || r.Skip(22, 0, 6) || r.Head != 12 {
		t.Errorf("the head is %d, and a range lies before what is empty", r.Head)
	}
	if lost, _ := r.Told(); lost != 0 {
		t.Errorf("%d lost before the head is there", lost)
	}
	if !r.Inserted(12) || r.Head != 22 || r.End() != 22 {
		t.Errorf("head %d, end %d", r.Head, r.End())
	}
	if lost, _ := r.Told(); lost != 3 {
		t.Errorf("%d lost", lost)
	}
	if r.Skip(22, 0, 6) || r.Skip(21, 0, 6) {
		t.Error("it moved to where it is, or back")
	}
}

// A range begins where the one before ends, and takes with it what was lost in between. Only what is known to be empty is covered.
func TestCover(t *testing.T) {
	r := NewRanges(0, nil, -1)
	_ = r.Record(spanOf(0, 9))
	r.Skip(15, 4, 1)
	if s := r.Cover(spanOf(16, 20)); s.First != 16 {
		t.Errorf("offset 15 is covered and not known to be empty: %+v", s)
	}
	s := r.Cover(spanOf(15, 20))
	if s.First != 10 || s.Lost != 4 || s.Last != 20 {
		t.Errorf("%+v", s)
	}
	if err := r.Record(s); err != nil {
		t.Fatal(err)
	}
	if again := r.Cover(spanOf(21, 22)); again.First != 21 || again.Lost != 0 {
		t.Errorf("%+v", again)
	}
	r.Inserted(0)
	r.Inserted(10)
	if lost, _ := r.Told(); lost != 4 || r.Head != 21 {
		t.Errorf("%d lost, head %d", lost, r.Head)
	}
}

// What is lost before a range, and which log the head is of, travel with the commit; what reading it again shows does not.
func TestMetadataOrigin(t *testing.T) {
	for _, of := range []Origin{{}, {Term: 1}, {Topic: uuid.UUID{1}}, {Topic: uuid.UUID{15: 9}, Term: math.MaxInt32}} {
		r := NewRanges(7, nil, -1)
		r.Origin = of
		s := spanOf(7, 9)
		s.Lost = 2
		_ = r.Record(s)
		r.Reread(Range{First: 7, Unread: 1, Term: 3})
		spans, got, ok := DecodeAll(7, r.Metadata())
		if !ok || got != of || !reflect.DeepEqual(spans, []Range{s}) {
			t.Errorf("%+v became %+v, %+v, %v", of, got, spans, ok)
		}
	}
}

// Parts that are not known are passed over, and what is broken is no part; the ranges are read all the same.
func TestMetadataParts(t *testing.T) {
	r := NewRanges(7, nil, -1)
	_ = r.Record(spanOf(7, 9))
	plain, _ := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(r.Metadata(), metadataPrefix))
	plain = plain[:len(plain)-crc32.Size]
	good := append(binary.AppendUvarint(nil, 6), make([]byte, 16)...)
	part := func(kind uint64, body []byte) []byte {
		return append(binary.AppendUvarint(binary.AppendUvarint(nil, kind), uint64(len(body))), body...)
	}
	for _, c := range []struct {
		name string
		tail []byte
		want Origin
	}{
		{"none", nil, Origin{}},
		{"an unknown one before", append(part(9, []byte("whatever")), part(partOrigin, good)...), Origin{Term: 5 + 1}},
		{"longer than it was", part(partOrigin, append(good, 1, 2, 3)), Origin{Term: 6}},
		{"too short", part(partOrigin, good[:16]), Origin{}},
		{"cut off", part(partOrigin, good)[:10], Origin{}},
		{"a term that cannot be", part(partOrigin, append(binary.AppendUvarint(nil, math.MaxInt32+1), make([]byte, 16)...)), Origin{}},
	} {
		b := append(append([]byte(nil), plain...), c.tail...)
		b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
		spans, got, ok := DecodeAll(7, metadataPrefix+base64.RawURLEncoding.EncodeToString(b))
		if !ok || got != c.want || len(spans) != 1 {
			t.Errorf("%s: %+v, %d ranges, %v; want %+v", c.name, got, len(spans), ok, c.want)
		}
	}
}
