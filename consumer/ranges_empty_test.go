package consumer

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
	r := newRanges(10, nil, -1)
	if !r.skip(12, 2, 5) || r.head != 12 || r.origin.term != 5 {
		t.Errorf("head %d, term %d", r.head, r.origin.term)
	}
	if lost, cuts := r.told(); lost != 2 || cuts != 0 {
		t.Errorf("%d lost, %d cuts", lost, cuts)
	}
	if lost, _ := r.told(); lost != 0 {
		t.Errorf("told again: %d", lost)
	}
	if err := r.record(spanOf(12, 14)); err != nil {
		t.Fatal(err)
	}
	if r.skip(20, 3, 6) || r.skip(22, 0, 6) || r.head != 12 {
		t.Errorf("the head is %d, and a range lies before what is empty", r.head)
	}
	if lost, _ := r.told(); lost != 0 {
		t.Errorf("%d lost before the head is there", lost)
	}
	if !r.inserted(12) || r.head != 22 || r.end() != 22 {
		t.Errorf("head %d, end %d", r.head, r.end())
	}
	if lost, _ := r.told(); lost != 3 {
		t.Errorf("%d lost", lost)
	}
	if r.skip(22, 0, 6) || r.skip(21, 0, 6) {
		t.Error("it moved to where it is, or back")
	}
}

// A range begins where the one before ends, and takes with it what was lost in between. Only what is known to be empty is covered.
func TestCover(t *testing.T) {
	r := newRanges(0, nil, -1)
	_ = r.record(spanOf(0, 9))
	r.skip(15, 4, 1)
	if s := r.cover(spanOf(16, 20)); s.first != 16 {
		t.Errorf("offset 15 is covered and not known to be empty: %+v", s)
	}
	s := r.cover(spanOf(15, 20))
	if s.first != 10 || s.lost != 4 || s.last != 20 {
		t.Errorf("%+v", s)
	}
	if err := r.record(s); err != nil {
		t.Fatal(err)
	}
	if again := r.cover(spanOf(21, 22)); again.first != 21 || again.lost != 0 {
		t.Errorf("%+v", again)
	}
	r.inserted(0)
	r.inserted(10)
	if lost, _ := r.told(); lost != 4 || r.head != 21 {
		t.Errorf("%d lost, head %d", lost, r.head)
	}
}

// What is lost before a range, and which log the head is of, travel with the commit; what reading it again shows does not.
func TestMetadataOrigin(t *testing.T) {
	for _, of := range []origin{{}, {term: 1}, {topic: uuid.UUID{1}}, {topic: uuid.UUID{15: 9}, term: math.MaxInt32}} {
		r := newRanges(7, nil, -1)
		r.origin = of
		s := spanOf(7, 9)
		s.lost = 2
		_ = r.record(s)
		r.reread(span{first: 7, unread: 1, term: 3})
		spans, got, ok := decodeAll(7, r.metadata())
		if !ok || got != of || !reflect.DeepEqual(spans, []span{s}) {
			t.Errorf("%+v became %+v, %+v, %v", of, got, spans, ok)
		}
	}
}

// Parts that are not known are passed over, and what is broken is no part; the ranges are read all the same.
func TestMetadataParts(t *testing.T) {
	r := newRanges(7, nil, -1)
	_ = r.record(spanOf(7, 9))
	plain, _ := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(r.metadata(), metadataPrefix))
	plain = plain[:len(plain)-crc32.Size]
	good := append(binary.AppendUvarint(nil, 6), make([]byte, 16)...)
	part := func(kind uint64, body []byte) []byte {
		return append(binary.AppendUvarint(binary.AppendUvarint(nil, kind), uint64(len(body))), body...)
	}
	for _, c := range []struct {
		name string
		tail []byte
		want origin
	}{
		{"none", nil, origin{}},
		{"an unknown one before", append(part(9, []byte("whatever")), part(partOrigin, good)...), origin{term: 5 + 1}},
		{"longer than it was", part(partOrigin, append(good, 1, 2, 3)), origin{term: 6}},
		{"too short", part(partOrigin, good[:16]), origin{}},
		{"cut off", part(partOrigin, good)[:10], origin{}},
		{"a term that cannot be", part(partOrigin, append(binary.AppendUvarint(nil, math.MaxInt32+1), make([]byte, 16)...)), origin{}},
	} {
		b := append(append([]byte(nil), plain...), c.tail...)
		b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
		spans, got, ok := decodeAll(7, metadataPrefix+base64.RawURLEncoding.EncodeToString(b))
		if !ok || got != c.want || len(spans) != 1 {
			t.Errorf("%s: %+v, %d ranges, %v; want %+v", c.name, got, len(spans), ok, c.want)
		}
	}
}
