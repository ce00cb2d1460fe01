package consumer

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/consumer/budget"
	"sluice/consumer/kafka"
	"sluice/consumer/kafka/kafkatest"
	"sluice/consumer/rows"
	"sluice/internal/recordbatch"
)

// With a small budget and ClickHouse away, the partitions of a process hold no more than the budget and one fetch each.
// When ClickHouse is back, all of them make progress.
func TestBudgetBoundsAndNobodyStarves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const total = 64 << 10
		b := budget.New(total)
		var workers []*worker
		for range 5 {
			w := newWorker(t, func(w *worker) { w.claim = b.Join(); w.cfg.BatchRows = 1000 })
			w.table.inserts = always(fails)
			w.topic.add(3000)
			workers = append(workers, w)
		}
		for _, w := range workers {
			w.start()
		}
		pass(10 * time.Minute)
		used := int64(0)
		for _, w := range workers {
			bytes, _ := w.claim.Outstanding()
			used += bytes
		}
		if used < total/2 || used > total+5*7*200 { // a fetch of the test's topic has seven records
			t.Errorf("%d bytes of %d are taken", used, total)
		}
		for _, w := range workers {
			w.table.inserts.change(succeeds)
		}
		pass(20 * time.Minute)
		for _, w := range workers {
			w.onceBelow(3000)
		}
	})
}

// A range's hash is the same whether a record was read from a batch or made, and differs with value and headers.
func TestContent(t *testing.T) {
	b := kafkatest.New(t, 1)
	client, err := kafka.New(b.Conn, "sluice", kafka.DefaultTiming(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	seen := map[uint64]string{}
	records := []recordbatch.Record{plain(0), {}, {Value: []byte{}}, {Value: []byte("x")}, {Value: []byte("x"), Headers: plain(1).Headers}, {Value: []byte("x"), Headers: plain(2).Headers}}
	b.Write(t, 0, produced(records...)...)
	i := 0
	answer, err := client.Fetch(t.Context(), 0, 0, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for r, err := range answer.Records {
		if err != nil {
			t.Fatal(err)
		}
		wire, made := newBatch(nil), newBatch(nil)
		wire.rows, made.rows = rows.New(), rows.New()
		wire.add(r, newBuilder())
		made.add(&records[i], newBuilder())
		hash := wire.hash.Sum64()
		if r.Raw == nil || hash != made.hash.Sum64() {
			t.Errorf("record %d: %016x off the wire, %016x made", i, hash, made.hash.Sum64())
		}
		if other, ok := seen[hash]; ok {
			t.Errorf("records %s and %d have the same hash", other, i)
		}
		seen[hash] = fmt.Sprint(i)
		i++
	}
	if i != len(records) {
		t.Errorf("%d records", i)
	}
}

// One answer can hold many times what the budget has room for: the partition takes in a part, and fetches the rest
// again later.
func TestBudgetEndsAFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t, func(w *worker) { w.claim = budget.New(16 << 10).Join() })
		w.table.inserts = always(fails)
		for offset := range int64(7) {
			r := plain(offset)
			r.Value = fmt.Appendf(nil, `{"message":"event %d","filler":"%s"}`, offset, make100k)
			w.topic.put(r)
		}
		w.start()
		pass(time.Minute)
		if got := w.topic.delivered; got != 3 { // after the third there are more than 256 KiB
			t.Errorf("%d records of 100 kB are in memory", got)
		}
		w.table.inserts.change(succeeds)
		pass(time.Minute)
		w.onceBelow(7)
	})
}

var make100k = strings.Repeat("x", 100_000)
