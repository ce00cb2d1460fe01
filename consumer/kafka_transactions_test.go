package consumer

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// writer is a transactional producer of another program.
type writer struct {
	t *testing.T
	*kgo.Client
}

func (b *broker) transactional(t *testing.T, id string) *writer {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(b.ListenAddrs()...), kgo.TransactionalID(id), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &writer{t, c}
}

func (w *writer) begin() {
	w.t.Helper()
	if err := w.BeginTransaction(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *writer) write(values ...string) {
	w.t.Helper()
	for _, v := range values {
		if err := w.ProduceSync(w.t.Context(), &kgo.Record{Topic: "events", Value: []byte(v)}).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *writer) end(how kgo.TransactionEndTry) {
	w.t.Helper()
	if err := w.EndTransaction(w.t.Context(), how); err != nil {
		w.t.Fatal(err)
	}
}

func values(records []record) []string {
	var out []string
	for _, r := range records {
		out = append(out, string(r.value))
	}
	return out
}

// Records of aborted transactions are not read, nor are markers, whatever the offset that is asked for, and with transactions of two producers that
// are woven into each other. What is read reaches to the end all the same.
func TestFetchTransactions(t *testing.T) {
	b := newBroker(t, 1)
	one, two := b.transactional(t, "one"), b.transactional(t, "two")
	one.begin()
	one.write("c0", "c1")
	one.end(kgo.TryCommit) // marker at 2
	one.begin()
	one.write("a3")
	two.begin()
	two.write("c4")
	b.write(t, 0, record{value: []byte("p5")})
	one.write("a6")
	one.end(kgo.TryAbort) // marker at 7
	two.write("c8")
	one.begin()
	one.write("c9")
	one.end(kgo.TryCommit) // 10
	two.end(kgo.TryCommit) // 11
	two.begin()
	two.write("a12")
	two.end(kgo.TryAbort) // 13
	all := map[int64]string{0: "c0", 1: "c1", 4: "c4", 5: "p5", 8: "c8", 9: "c9"}
	for from := range int64(15) {
		var want []string
		for offset := from; offset < 14; offset++ {
			if v, ok := all[offset]; ok {
				want = append(want, v)
			}
		}
		got, at, err := b.read(t, 0, from)
		if err != nil || !slices.Equal(values(got), want) {
			t.Errorf("from %d: %v, error %v; want %v", from, values(got), err, want)
		}
		if from < 14 && (at.next != 14 || at.term == 0) || at.highWatermark != 14 || at.stable != 14 {
			t.Errorf("from %d: %+v", from, at)
		}
	}
}

// What is behind the start of an open transaction is not read before that has ended.
func TestFetchOpenTransaction(t *testing.T) {
	b := newBroker(t, 1)
	one := b.transactional(t, "one")
	b.write(t, 0, record{value: []byte("p0")})
	one.begin()
	one.write("c1")
	b.write(t, 0, record{value: []byte("p2")})
	got, at, err := b.read(t, 0, 0)
	if err != nil || !slices.Equal(values(got), []string{"p0"}) || at.next != 1 || at.stable != 1 || at.highWatermark != 3 {
		t.Errorf("%v, %+v, error %v", values(got), at, err)
	}
	one.end(kgo.TryCommit)
	got, at, err = b.read(t, 0, 1)
	if err != nil || !slices.Equal(values(got), []string{"c1", "p2"}) || at.next != 4 || at.stable != 4 {
		t.Errorf("%v, %+v, error %v", values(got), at, err)
	}
}

// Many transactions in one answer, every second one of them aborted, of several producers.
func TestFetchManyTransactions(t *testing.T) {
	b := newBroker(t, 1)
	var want []string
	writers := []*writer{b.transactional(t, "one"), b.transactional(t, "two"), b.transactional(t, "three")}
	for i := range 30 {
		w := writers[i%3]
		v := fmt.Sprint(i)
		w.begin()
		w.write(v)
		if i%2 == 0 {
			w.end(kgo.TryAbort)
			continue
		}
		w.end(kgo.TryCommit)
		want = append(want, v)
	}
	got, at, err := b.read(t, 0, 0)
	if err != nil || !slices.Equal(values(got), want) || at.next != 60 {
		t.Errorf("%v, %+v, error %v", values(got), at, err)
	}
}

// A record has the time that the broker gave its batch, where the topic says so, and else the producer's own.
func TestFetchTimes(t *testing.T) {
	b := newBroker(t, 1)
	b.setting(t, "message.timestamp.type", "CreateTime")
	sent := time.UnixMilli(1_700_000_000_000)
	var records []*kgo.Record
	for i := range 3 {
		records = append(records, &kgo.Record{Topic: "events", Timestamp: sent.Add(time.Duration(i) * 1500 * time.Millisecond)})
	}
	if err := b.other.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	var got []int64
	if _, err := b.fetch(t.Context(), 0, 0, time.Second, func(r *record) error { got = append(got, r.atMillis); return nil }); err != nil {
		t.Fatal(err)
	}
	if want := []int64{sent.UnixMilli(), sent.UnixMilli() + 1500, sent.UnixMilli() + 3000}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// The answer of an Apache Kafka 4.3.1 to a fetch, version 11, of the same records as in TestFetchTransactions.
func TestReadAnswerOfApacheKafka(t *testing.T) {
	text, err := os.ReadFile("testdata/fetch_transactions.hex")
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := hex.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	a := answer{version: 11, bytes: bytes}
	at, err := a.parse()
	if err != nil || a.code != 0 || at.highWatermark != 14 || at.stable != 14 || len(a.aborted) != 2 {
		t.Fatalf("%+v, code %v, aborted %v, error %v", at, a.code, a.aborted, err)
	}
	var reader batchReader
	var got []string
	next, _, err := reader.read(a.records, 0, a.aborted, func(r *record) error {
		got = append(got, string(r.value))
		if sent := time.UnixMilli(r.atMillis); sent.Year() != 2026 {
			t.Errorf("record %d is of %s", r.offset, sent)
		}
		return nil
	})
	if want := []string{"c0", "c1", "c4", "p5", "c8", "c9"}; err != nil || next != 14 || !slices.Equal(got, want) {
		t.Errorf("%v up to %d, error %v; want %v", got, next, err, want)
	}
	for n := range len(bytes) { // cut short anywhere, it is an error or less of it
		short := answer{version: 11, bytes: bytes[:n]}
		if at, err := short.parse(); err == nil {
			t.Errorf("%d bytes of it are an answer: %+v", n, at)
		}
	}
}

// setOf is a record batch as a broker sends it.
func setOf(base int64, attributes int16, producer int64, records ...[]byte) []byte {
	set := kmsg.RecordBatch{
		FirstOffset: base, PartitionLeaderEpoch: 6, Magic: 2, Attributes: attributes, LastOffsetDelta: int32(len(records) - 1), //nolint:gosec // small
		FirstTimestamp: 1_700_000_000_000, MaxTimestamp: 1_800_000_000_000, ProducerID: producer, NumRecords: int32(len(records)), //nolint:gosec // small
		Records: slices.Concat(records...),
	}
	b := set.AppendTo(nil)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12)) //nolint:gosec // small
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	return b
}

// recordOf is a record in a batch, with key and value of one byte each, or none.
func recordOf(delta int64, key, value []byte) []byte {
	b := binary.AppendVarint([]byte{0}, 40*delta) // attributes, time
	b = binary.AppendVarint(b, delta)
	for _, part := range [][]byte{key, value} {
		if part == nil {
			b = binary.AppendVarint(b, -1)
			continue
		}
		b = append(binary.AppendVarint(b, int64(len(part))), part...)
	}
	b = append(b, 0) // headers
	return append(binary.AppendVarint(nil, int64(len(b))), b...)
}

// marker is what a transaction's coordinator writes: version and kind as the key, version and epoch as the value.
func marker(base, producer int64, kind byte) []byte {
	return setOf(base, attributeControl|attributeTransactional, producer, recordOf(0, []byte{0, 0, 0, kind}, []byte{0, 0, 0, 0, 0, 1}))
}

// Whatever is put together of batches, aborted transactions and markers: only what counts is read, with its time and its leader's term, and the reader
// comes to the end. The answer's list is in no order.
func TestReadTransactions(t *testing.T) {
	one := func(offset, producer int64) []byte {
		return setOf(offset, attributeTransactional, producer, recordOf(0, nil, []byte{byte(offset)}))
	}
	const abort, commit = markerAbort, markerCommit
	for _, c := range []struct {
		name    string
		set     [][]byte
		aborted rollbacks
		from    int64
		want    []int64
		next    int64
	}{
		{name: "nothing", next: 0},
		{name: "a marker alone", set: [][]byte{marker(4, 9, commit)}, from: 4, next: 5},
		{name: "aborted", set: [][]byte{one(4, 9), one(5, 9), marker(6, 9, abort)}, aborted: rollbacks{{9, 4}}, next: 7},
		{name: "committed, and then aborted", set: [][]byte{one(4, 9), marker(5, 9, commit), one(6, 9), marker(7, 9, abort)}, aborted: rollbacks{{9, 6}}, want: []int64{4}, next: 8},
		{name: "aborted, and then committed", set: [][]byte{one(4, 9), marker(5, 9, abort), one(6, 9), marker(7, 9, commit)}, aborted: rollbacks{{9, 4}}, want: []int64{6}, next: 8},
		{name: "aborted twice", set: [][]byte{one(4, 9), marker(5, 9, abort), one(6, 9), marker(7, 9, abort), one(8, 9), marker(9, 9, commit)},
			aborted: rollbacks{{9, 6}, {9, 4}}, want: []int64{8}, next: 10},
		{name: "woven", set: [][]byte{one(4, 9), one(5, 8), one(6, 9), marker(7, 9, abort), one(8, 8), marker(9, 8, commit)}, aborted: rollbacks{{9, 4}}, want: []int64{5, 8}, next: 10},
		{name: "woven the other way", set: [][]byte{one(4, 9), one(5, 8), marker(6, 9, commit), marker(7, 8, abort)}, aborted: rollbacks{{8, 5}}, want: []int64{4}, next: 8},
		{name: "from within", set: [][]byte{one(6, 9), marker(7, 9, abort), one(8, 9)}, aborted: rollbacks{{9, 2}}, from: 6, want: []int64{8}, next: 9},
		{name: "its producer writes without a transaction", set: [][]byte{setOf(4, 0, 9, recordOf(0, nil, []byte{4}))}, aborted: rollbacks{{9, 4}}, want: []int64{4}, next: 5},
		{name: "a control record of another kind", set: [][]byte{one(4, 9), marker(5, 9, 7), one(6, 9)}, aborted: rollbacks{{9, 4}}, next: 7},
	} {
		var reader batchReader
		var got []int64
		next, of, err := reader.read(slices.Concat(c.set...), c.from, c.aborted, func(r *record) error {
			got = append(got, r.offset)
			if r.term != 7 || r.atMillis != 1_700_000_000_000 || r.value[0] != byte(r.offset) {
				t.Errorf("%s: record %d has term %d, time %d", c.name, r.offset, r.term, r.atMillis)
			}
			return nil
		})
		if err != nil || !slices.Equal(got, c.want) || next != c.next || (of != 7) != (c.next == 0) {
			t.Errorf("%s: %v up to %d in term %d, error %v; want %v up to %d", c.name, got, next, of, err, c.want, c.next)
		}
	}
}

// The time of a record is its producer's, each its own, or the broker's, which is the batch's.
func TestReadTimes(t *testing.T) {
	for attributes, want := range map[int16][]int64{
		0:                      {1_700_000_000_000, 1_700_000_000_040, 1_700_000_000_080},
		attributeLogAppendTime: {1_800_000_000_000, 1_800_000_000_000, 1_800_000_000_000},
	} {
		var reader batchReader
		var got []int64
		set := setOf(0, attributes, -1, recordOf(0, nil, []byte("a")), recordOf(1, nil, []byte("b")), recordOf(2, nil, []byte("c")))
		if _, _, err := reader.read(set, 0, nil, func(r *record) error { got = append(got, r.atMillis); return nil }); err != nil || !slices.Equal(got, want) {
			t.Errorf("attributes %d: %v, error %v; want %v", attributes, got, err, want)
		}
	}
}

// A record says what lies between its batch and the one before: nothing, or offsets that no batch has.
func TestReadBounds(t *testing.T) {
	set := slices.Concat(setOf(5, 0, -1, recordOf(0, nil, []byte("a")), recordOf(1, nil, []byte("b"))), marker(7, 9, markerCommit), setOf(8, 0, -1, recordOf(0, nil, []byte("c"))),
		setOf(12, 0, -1, recordOf(3, nil, []byte("d")))) // compaction left one of more
	want := map[int64][2]int64{5: {3, 5}, 6: {3, 5}, 8: {8, 8}, 15: {9, 12}}
	var reader batchReader
	reader.record.logStart = 2
	if _, _, err := reader.read(set, 3, nil, func(r *record) error {
		if got := [2]int64{r.before, r.base}; got != want[r.offset] || r.logStart != 2 {
			t.Errorf("record %d: %v, want %v; log from %d", r.offset, got, want[r.offset], r.logStart)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
