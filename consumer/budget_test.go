package consumer

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/consumer/kafka"
	"sluice/consumer/kafka/kafkatest"
	"sluice/consumer/rows"
	"sluice/internal/recordbatch"
)

func hasRoom(c *claim) bool { room, _ := c.room(); return room }

// Each partition has its share whatever the others hold; the rest is for all, to the byte.
func TestBudgetShares(t *testing.T) {
	b := newBudget(1000)
	greedy, modest := b.join(), b.join() // 125 each, and 750 for both
	greedy.add(874)
	if !hasRoom(greedy) || !hasRoom(modest) {
		t.Error("a byte of the common part is left")
	}
	greedy.add(1)
	if hasRoom(greedy) || !hasRoom(modest) {
		t.Error("the common part is used up, the other's share is not")
	}
	modest.add(124)
	if !hasRoom(modest) {
		t.Error("a byte of its own share is left")
	}
	modest.add(1)
	room, freed := modest.room()
	if room {
		t.Error("nothing is left")
	}
	greedy.add(-1)
	<-freed
	if !hasRoom(modest) {
		t.Error("a byte was given back")
	}
	greedy.add(-874)
	greedy.leave()
	modest.add(874)
	if !hasRoom(modest) { // 250 of its own now, 750 in common
		t.Error("who has left has no share")
	}
}

// With a small budget and ClickHouse away, the partitions of a process hold no more than it allows and a record each; when ClickHouse is
// back all of them get on.
func TestBudgetBoundsAndNobodyStarves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const total = 64 << 10
		b := newBudget(total)
		var workers []*worker
		for range 5 {
			w := newWorker(t, func(w *worker) { w.claim = b.join(); w.cfg.BatchRows = 1000 })
			w.table.inserts = always(fails)
			w.topic.add(3000)
			workers = append(workers, w)
		}
		for _, w := range workers {
			w.start()
		}
		pass(10 * time.Minute)
		used := int64(0)
		for c := range b.claims {
			used += c.used
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

// A range's hash is the same whether a record came off the wire or not, and differs with value and headers.
func TestContent(t *testing.T) {
	b := kafkatest.New(t, 1)
	client, err := kafka.New(b.Conn, "sluice", slog.New(slog.DiscardHandler))
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
		wire, made := newBatch(), newBatch()
		wire.rows, made.rows = rows.New(), rows.New()
		wire.add(r, newProcessor())
		made.add(&records[i], newProcessor())
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

// Lag without progress, although nothing outside is in the way, is a fault of ours that a restart may mend.
func TestWatchSeesNoProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w watch
		step := func(lag int64) error {
			time.Sleep(stalled)
			w.beat(loopFetch)
			w.beat(loopKeep)
			return w.fault(lag)
		}
		w.progress()
		if err := step(5); err != nil {
			t.Errorf("just in time: %v", err)
		}
		time.Sleep(time.Second)
		if w.fault(5) == nil {
			t.Error("nothing got in for longer than it may take")
		}
		w.blocked.Add(1)
		if err := w.fault(5); err != nil {
			t.Errorf("blocked by something outside: %v", err)
		}
		w.blocked.Add(-1)
		if err := step(0); err != nil {
			t.Errorf("there is no lag: %v", err)
		}
		w.rest()
		if err := step(5); err != nil {
			w.rest()
			t.Errorf("at rest: %v", err)
		}
	})
}

// One fetch can hold many times what there is room for: it is left where the budget ends, and the rest is fetched again later.
func TestBudgetEndsAFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t, func(w *worker) { w.claim = newBudget(16 << 10).join() })
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
