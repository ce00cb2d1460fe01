package consumer

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
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
