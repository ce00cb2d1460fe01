package delivery

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"reflect"
	"strings"
	"testing"
	"time"
)

var sealed = time.UnixMilli(1795435200123).UTC()

func spanOf(first, last int64) Range {
	return Range{First: first, Last: last, Hash: 0xFEDCBA9876543210 + uint64(first), Records: int(last - first + 1), SealedAt: sealed} //nolint:gosec // not negative
}

// The head moves only past what is in without a gap, in whatever order the inserts are answered.
func TestHeadMovesInOrder(t *testing.T) {
	r := NewRanges(100, nil, -1)
	for _, s := range []Range{spanOf(100, 109), spanOf(110, 110), spanOf(111, 150)} {
		if err := r.Record(s); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		first int64
		moved bool
		head  int64
		left  int
	}{{110, false, 100, 3}, {100, true, 111, 1}, {111, true, 151, 0}} {
		if moved := r.Inserted(c.first); moved != c.moved || r.Head != c.head || len(r.Spans) != c.left {
			t.Errorf("after %d: moved %v, head %d, %d left; want %+v", c.first, moved, r.Head, len(r.Spans), c)
		}
	}
	if r.End() != 151 {
		t.Errorf("end %d", r.End())
	}
}

// Only the range that comes next may be recorded, and no more than fit.
func TestRecordRefuses(t *testing.T) {
	r := NewRanges(10, nil, -1)
	for _, s := range []Range{spanOf(9, 12), spanOf(11, 12), spanOf(10, 9)} {
		if err := r.Record(s); !errors.Is(err, errRange) {
			t.Errorf("%d-%d: %v", s.First, s.Last, err)
		}
	}
	for i := range int64(MaxRanges) {
		if r.Full() {
			t.Fatalf("full with %d", i)
		}
		if err := r.Record(spanOf(10+i, 10+i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Record(spanOf(10+MaxRanges, 99)); !r.Full() || err == nil {
		t.Errorf("full %v, error %v with %d recorded", r.Full(), err, MaxRanges)
	}
	if r.Jump(0) == nil {
		t.Error("jumped away from recorded ranges")
	}
	for i := range int64(MaxRanges) {
		r.Inserted(10 + i)
	}
	if err := r.Jump(3); err != nil || r.End() != 3 {
		t.Errorf("end %d, error %v", r.End(), err)
	}
}

// What is old, split, from the future, or not above what the table had, is doubtful.
func TestDoubtful(t *testing.T) {
	r := NewRanges(0, nil, 50)
	for _, c := range []struct {
		name string
		span Range
		age  time.Duration
		want bool
	}{
		{"fresh", spanOf(51, 60), 0, false},
		{"starts at what was seen", spanOf(50, 60), 0, true},
		{"begins below what was seen", spanOf(49, 60), 0, true},
		{"just trusted", spanOf(51, 60), Trusted, false},
		{"a millisecond too old", spanOf(51, 60), Trusted + time.Millisecond, true},
		{"a clock that is just trusted", spanOf(51, 60), -Trusted, false},
		{"from the future", spanOf(51, 60), -Trusted - time.Millisecond, true},
		{"split", Range{First: 51, Last: 60, SealedAt: sealed, Split: true}, 0, true},
	} {
		if got := r.Doubtful(c.span, sealed.Add(c.age)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// What is encoded comes back, and fits where Kafka keeps it even with the largest numbers.
func TestMetadata(t *testing.T) {
	for n := range MaxRanges + 1 {
		r := NewRanges(1<<61, nil, -1)
		for range n {
			s := spanOf(r.End(), r.End()+1<<39)
			s.Hash, s.Records, s.Split = ^uint64(0), 1<<39, n%2 == 0
			if err := r.Record(s); err != nil {
				t.Fatal(err)
			}
		}
		text := r.Metadata()
		spans, ok := DecodeMetadata(r.Head, text)
		if !ok || !reflect.DeepEqual(spans, r.Spans) && n > 0 || len(spans) != n {
			t.Errorf("%d ranges: ok %v, %+v, want %+v", n, ok, spans, r.Spans)
		}
		if len(text) >= maxMetadata/4 {
			t.Errorf("%d ranges take %d bytes", n, len(text))
		}
	}
}

// What is not ours, broken, of another version or of another offset is told apart from nothing at all.
func TestMetadataOfOthers(t *testing.T) {
	r := NewRanges(7, nil, -1)
	if err := r.Record(spanOf(7, 9)); err != nil {
		t.Fatal(err)
	}
	good := r.Metadata()
	if _, ok := DecodeMetadata(7, good); !ok {
		t.Fatal("the good one is not read")
	}
	for name, text := range map[string]string{
		"another program's":    "committed by kafka-python",
		"another version":      "sluice/2:" + strings.TrimPrefix(good, metadataPrefix),
		"cut":                  good[:len(good)-1],
		"only the prefix":      metadataPrefix,
		"a byte changed":       good[:len(metadataPrefix)+2] + "_" + good[len(metadataPrefix)+3:],
		"something behind":     good + "A",
		"longer than possible": metadataPrefix + strings.Repeat("A", maxMetadata),
	} {
		if spans, ok := DecodeMetadata(7, text); ok || spans != nil {
			t.Errorf("%s: %v", name, spans)
		}
	}
	if _, ok := DecodeMetadata(8, good); ok {
		t.Error("taken for another offset's")
	}
	if spans, ok := DecodeMetadata(8, ""); !ok || spans != nil {
		t.Error("nothing is not a fault")
	}
}

// A newer consumer may say more about a range, and more behind the ranges: this one reads what it knows. A flag that it does not
// know makes it look.
func TestMetadataOfNewer(t *testing.T) {
	write := func(flags uint64) string {
		s := spanOf(7, 9)
		one := binary.AppendUvarint(nil, 0)
		one = binary.AppendUvarint(one, 2)
		one = binary.LittleEndian.AppendUint64(one, s.Hash)
		one = binary.AppendUvarint(one, 3)
		one = binary.AppendVarint(one, sealed.UnixMilli())
		one = append(binary.AppendUvarint(one, flags), "more about the range"...)
		b := binary.AppendUvarint(binary.AppendVarint(nil, 7), 1)
		b = append(binary.AppendUvarint(b, uint64(len(one))), one...)
		b = append(b, "more behind the ranges"...)
		b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
		return metadataPrefix + base64.RawURLEncoding.EncodeToString(b)
	}
	if spans, ok := DecodeMetadata(7, write(0)); !ok || len(spans) != 1 || spans[0] != spanOf(7, 9) {
		t.Errorf("%v %+v", ok, spans)
	}
	if spans, ok := DecodeMetadata(7, write(1<<5)); !ok || len(spans) != 1 || !spans[0].Split {
		t.Errorf("%v %+v", ok, spans)
	}
}

// The metadata of this version as it has been since the first one: what is on brokers must stay readable.
func TestMetadataGolden(t *testing.T) {
	r := NewRanges(7, nil, -1)
	_ = r.Record(spanOf(7, 9))
	_ = r.Record(spanOf(10, 10))
	r.Splits(10, false)
	const golden = "sluice/1:DgISAAIXMlR2mLrc_gP2-beEwWgAEgAAGjJUdpi63P4B9vm3hMFoAdzclmM"
	if got := r.Metadata(); got != golden {
		t.Errorf("metadata %s, want %s", got, golden)
	}
	if spans, ok := DecodeMetadata(7, golden); !ok || !reflect.DeepEqual(spans, r.Spans) {
		t.Errorf("%v %+v", ok, spans)
	}
}

// The token tells apart what must not be taken for the same: another table, topic, partition, cut or content.
func TestToken(t *testing.T) {
	s := spanOf(7, 9)
	const want = "db.events_raw/events/3/7-9/fedcba9876543217"
	if got := s.Token("db.events_raw", "events", 3); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	other := s
	other.Hash++
	if other.Token("db.events_raw", "events", 3) == want {
		t.Error("other records have the same token")
	}
}

// Whatever is in the metadata: no crash, no nonsense, and what is accepted comes back the same when it is written again.
func FuzzMetadata(f *testing.F) {
	r := NewRanges(7, nil, -1)
	f.Add(int64(7), r.Metadata(), true)
	_ = r.Record(spanOf(7, 9))
	_ = r.Record(spanOf(10, 1000))
	f.Add(int64(7), r.Metadata(), true)
	f.Add(int64(0), "", false)
	f.Add(int64(0), "sluice/1:AAAA", false)
	f.Fuzz(func(t *testing.T, offset int64, text string, repair bool) {
		if b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(text, metadataPrefix)); repair && err == nil && len(b) >= 4 {
			// Without a right checksum nothing gets any further.
			b = binary.LittleEndian.AppendUint32(b[:len(b)-4], crc32.Checksum(b[:len(b)-4], castagnoli))
			text = metadataPrefix + base64.RawURLEncoding.EncodeToString(b)
		}
		spans, ok := DecodeMetadata(offset, text)
		if !ok {
			return
		}
		again := NewRanges(offset, nil, -1)
		for _, s := range spans {
			if s.Records < 0 || int64(s.Records) > s.Last-s.First+1 {
				t.Errorf("%d records in %d-%d", s.Records, s.First, s.Last)
			}
			if err := again.Record(s); err != nil {
				t.Fatal(err)
			}
		}
		if got, ok := DecodeMetadata(offset, again.Metadata()); !ok || len(spans) > 0 && !reflect.DeepEqual(got, spans) {
			t.Errorf("%+v became %+v", spans, got)
		}
	})
}

// The mark of a range that is split for its size survives the metadata; an older reader sees that it is split.
func TestMetadataSized(t *testing.T) {
	r := NewRanges(10, nil, -1)
	for _, first := range []int64{10, 20, 30} {
		if err := r.Record(Range{First: first, Last: first + 9, Records: 10, SealedAt: sealed}); err != nil {
			t.Fatal(err)
		}
	}
	r.Splits(20, false)
	r.Splits(30, true)
	spans, ok := DecodeMetadata(10, r.Metadata())
	if !ok || len(spans) != 3 || spans[0].Split || spans[0].Sized || !spans[1].Split || spans[1].Sized || !spans[2].Split || !spans[2].Sized {
		t.Errorf("%v %+v", ok, spans)
	}
}
