package recordbatch

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/internal/event"
)

// setOf is a record batch as a broker sends it.
func setOf(base int64, attributes int16, producer int64, records ...[]byte) []byte {
	set := kmsg.RecordBatch{
		FirstOffset: base, PartitionLeaderEpoch: 6, Magic: 2, Attributes: attributes, LastOffsetDelta: int32(len(records) - 1),
		FirstTimestamp: 1_700_000_000_000, MaxTimestamp: 1_800_000_000_000, ProducerID: producer, NumRecords: int32(len(records)),
		Records: slices.Concat(records...),
	}
	b := set.AppendTo(nil)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crcTable))
	return b
}

// recordOf is a record as a batch has it. Each record is 40 ms after the one before.
func recordOf(delta int64, key, value []byte, headers ...event.Header) []byte {
	b := binary.AppendVarint([]byte{0}, 40*delta) // attributes, time
	b = binary.AppendVarint(b, delta)
	nullable := func(part []byte) {
		if part == nil {
			b = binary.AppendVarint(b, -1)
			return
		}
		b = append(binary.AppendVarint(b, int64(len(part))), part...)
	}
	nullable(key)
	nullable(value)
	b = binary.AppendVarint(b, int64(len(headers)))
	for _, h := range headers {
		nullable([]byte(h.Key))
		nullable(h.Value)
	}
	return append(binary.AppendVarint(nil, int64(len(b))), b...)
}

// marker is what a transaction's coordinator writes: version and type as the key, version and epoch as the value.
func marker(base, producer int64, kind byte) []byte {
	return setOf(base, attributeControl|attributeTransactional, producer, recordOf(0, []byte{0, 0, 0, kind}, []byte{0, 0, 0, 0, 0, 1}))
}

// Of batches, aborted transactions and markers in any combination, only the committed records are yielded, with their times and their
// leader's term, and the reader reaches the end. The list of aborted transactions is in no order.
func TestReadTransactions(t *testing.T) {
	t.Parallel()
	one := func(offset, producer int64) []byte {
		return setOf(offset, attributeTransactional, producer, recordOf(0, nil, []byte{byte(offset)}))
	}
	const abort, commit = markerAbort, markerCommit
	for _, c := range []struct {
		name    string
		set     [][]byte
		aborted []Aborted
		from    int64
		want    []int64
		next    int64
	}{
		{name: "nothing", next: 0},
		{name: "a marker alone", set: [][]byte{marker(4, 9, commit)}, from: 4, next: 5},
		{name: "aborted", set: [][]byte{one(4, 9), one(5, 9), marker(6, 9, abort)}, aborted: []Aborted{{9, 4}}, next: 7},
		{name: "committed, and then aborted",
			set:     [][]byte{one(4, 9), marker(5, 9, commit), one(6, 9), marker(7, 9, abort)},
			aborted: []Aborted{{9, 6}}, want: []int64{4}, next: 8},
		{name: "aborted, and then committed",
			set:     [][]byte{one(4, 9), marker(5, 9, abort), one(6, 9), marker(7, 9, commit)},
			aborted: []Aborted{{9, 4}}, want: []int64{6}, next: 8},
		{name: "aborted twice",
			set:     [][]byte{one(4, 9), marker(5, 9, abort), one(6, 9), marker(7, 9, abort), one(8, 9), marker(9, 9, commit)},
			aborted: []Aborted{{9, 6}, {9, 4}}, want: []int64{8}, next: 10},
		{name: "overlapping",
			set:     [][]byte{one(4, 9), one(5, 8), one(6, 9), marker(7, 9, abort), one(8, 8), marker(9, 8, commit)},
			aborted: []Aborted{{9, 4}}, want: []int64{5, 8}, next: 10},
		{name: "overlapping the other way",
			set:     [][]byte{one(4, 9), one(5, 8), marker(6, 9, commit), marker(7, 8, abort)},
			aborted: []Aborted{{8, 5}}, want: []int64{4}, next: 8},
		{name: "from within",
			set:     [][]byte{one(6, 9), marker(7, 9, abort), one(8, 9)},
			aborted: []Aborted{{9, 2}}, from: 6, want: []int64{8}, next: 9},
		{name: "its producer writes without a transaction",
			set:     [][]byte{setOf(4, 0, 9, recordOf(0, nil, []byte{4}))},
			aborted: []Aborted{{9, 4}}, want: []int64{4}, next: 5},
		{name: "a control record of another type",
			set:     [][]byte{one(4, 9), marker(5, 9, 7), one(6, 9)},
			aborted: []Aborted{{9, 4}}, next: 7},
	} {
		var reader Reader
		var got []int64
		for r, err := range reader.Read(slices.Concat(c.set...), c.from, c.aborted) {
			require.NoError(t, err, c.name)
			got = append(got, r.Offset)
			assert.Equal(t, int32(7), r.Term, c.name)
			assert.Equal(t, int64(1_700_000_000_000), r.Timestamp, c.name)
			assert.Equal(t, byte(r.Offset), r.Value[0], c.name)
		}
		next, term := reader.End()
		assert.Equal(t, c.want, got, c.name)
		assert.Equal(t, c.next, next, c.name)
		if c.next == 0 {
			assert.Zero(t, term, c.name)
		} else {
			assert.Equal(t, int32(7), term, c.name)
		}
	}
}

// The time of a record is its producer's, each its own, or the broker's, which is the batch's.
func TestReadTimes(t *testing.T) {
	t.Parallel()
	for attributes, want := range map[int16][]int64{
		0:                      {1_700_000_000_000, 1_700_000_000_040, 1_700_000_000_080},
		attributeLogAppendTime: {1_800_000_000_000, 1_800_000_000_000, 1_800_000_000_000},
	} {
		var reader Reader
		var got []int64
		set := setOf(0, attributes, -1, recordOf(0, nil, []byte("a")), recordOf(1, nil, []byte("b")), recordOf(2, nil, []byte("c")))
		for r, err := range reader.Read(set, 0, nil) {
			require.NoError(t, err)
			got = append(got, r.Timestamp)
		}
		assert.Equal(t, want, got, "attributes %d", attributes)
	}
}

// A record says what lies between its batch and the one before: nothing, or offsets that no batch has.
func TestReadBounds(t *testing.T) {
	t.Parallel()
	set := slices.Concat(setOf(5, 0, -1, recordOf(0, nil, []byte("a")), recordOf(1, nil, []byte("b"))),
		marker(7, 9, markerCommit), setOf(8, 0, -1, recordOf(0, nil, []byte("c"))),
		setOf(12, 0, -1, recordOf(3, nil, []byte("d")))) // compaction left one of more
	got := map[int64][2]int64{}
	var reader Reader
	for r, err := range reader.Read(set, 3, nil) {
		require.NoError(t, err)
		got[r.Offset] = [2]int64{r.PreviousEnd, r.BaseOffset}
	}
	assert.Equal(t, map[int64][2]int64{5: {3, 5}, 6: {3, 5}, 8: {8, 8}, 15: {9, 12}}, got)
}

// A caller may leave the loop at any record. The reader is behind the last batch that it yielded whole.
func TestReadStops(t *testing.T) {
	t.Parallel()
	set := slices.Concat(setOf(0, 0, -1, recordOf(0, nil, nil), recordOf(1, nil, nil)), setOf(2, 0, -1, recordOf(0, nil, nil), recordOf(1, nil, nil)))
	for stop, want := range map[int64]int64{0: 0, 1: 0, 2: 2, 3: 2} {
		var reader Reader
		for r, err := range reader.Read(set, 0, nil) {
			require.NoError(t, err)
			if r.Offset == stop {
				break
			}
		}
		next, _ := reader.End()
		assert.Equal(t, want, next, "stopped at %d", stop)
	}
}

// Whatever the records before were like, each record's headers are read as they are: the same names with other values, values of other
// lengths, names that differ in a byte, null, and none.
func TestReadHeaders(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		var want []Record
		var records [][]byte
		headers := someHeaders(rnd)
		for n := range 60 {
			headers = changeHeaders(rnd, headers)
			r := Record{Offset: int64(n), Value: someText(rnd, rnd.IntN(200)), Headers: headers}
			want = append(want, r)
			records = append(records, recordOf(r.Offset, nil, r.Value, r.Headers...))
		}
		var reader Reader
		n := 0
		for r, err := range reader.Read(setOf(0, 0, -1, records...), 0, nil) {
			require.NoError(t, err)
			require.Len(t, r.Headers, len(want[n].Headers), "seed %d, record %d", seed, n)
			if len(r.Headers) > 0 {
				require.Equal(t, want[n].Headers, r.Headers, "seed %d, record %d", seed, n)
			}
			require.Equal(t, want[n].Value, r.Value, "seed %d, record %d", seed, n)
			require.Equal(t, want[n].Offset, r.Offset, "seed %d", seed)
			n++
		}
		require.Len(t, want, n, "seed %d", seed)
	}
}

func someText(rnd *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = "ab\x00\xff"[rnd.IntN(4)]
	}
	return b
}

func someHeaders(rnd *rand.Rand) []event.Header {
	return []event.Header{
		{Key: "v", Value: someText(rnd, 1)}, {Key: "project", Value: someText(rnd, 4)}, {Key: "event_id", Value: someText(rnd, 36)},
		{Key: "received_at", Value: someText(rnd, 13)},
	}
}

// changeHeaders returns other headers, which mostly differ in their values only.
func changeHeaders(rnd *rand.Rand, before []event.Header) []event.Header {
	headers := slices.Clone(before)
	for i := range headers {
		if headers[i].Value != nil {
			headers[i].Value = someText(rnd, len(headers[i].Value))
		}
	}
	i := rnd.IntN(len(headers) + 1)
	switch change := rnd.IntN(16); {
	case change == 0 && rnd.IntN(4) == 0:
		return someHeaders(rnd)
	case i == len(headers):
	case change == 1:
		headers[i].Value = someText(rnd, rnd.IntN(300)*rnd.IntN(2))
	case change == 2:
		name := []byte(headers[i].Key)
		name[rnd.IntN(len(name))]++
		headers[i].Key = string(name)
	case change == 3:
		headers[i].Value = nil
	case change == 4 || change > 12:
		headers = append(headers, event.Header{Key: strings.Repeat("k", 1+rnd.IntN(9)), Value: someText(rnd, rnd.IntN(9))})
	case change == 5:
		headers = headers[:i]
	}
	return headers
}
