package consumer

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/recordbatch"
)

// A batch is sealed exactly at its limit of rows.
func TestCutByRows(t *testing.T) {
	for n, want := range map[int][]string{
		9:  nil,
		10: {"0-9"},
		11: {"0-9"},
		25: {"0-9", "10-19"},
	} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorker(t)
				w.topic.add(n)
				w.start()
				w.inserted(w.topic.at(), want...)
				pass(time.Second + advanceAge)
				if got := w.topic.at(); got != int64(n) {
					t.Errorf("committed %d after the flush age, want %d", got, n)
				}
			})
		})
	}
}

// A batch is sealed once its events have as many bytes as the limit. Dead letters count, because they take memory too.
func TestCutByBytes(t *testing.T) {
	first := plain(0)
	limit := 2 * len(first.Value)
	for _, c := range []struct {
		name  string
		limit int
		want  []string
	}{
		{"one byte below", limit + 1, nil},
		{"at the limit", limit, []string{"0-1"}},
		{"one byte above", limit - 1, []string{"0-1"}},
		{"one event alone", 1, []string{"0-0", "1-1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorker(t)
				w.cfg.BatchBytes = c.limit
				w.topic.add(2)
				w.start()
				w.inserted(w.topic.at(), c.want...)
			})
		})
	}
	t.Run("keys of dead letters count", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorker(t)
			w.cfg.BatchBytes = 1000
			w.topic.put(recordbatch.Record{Key: []byte(strings.Repeat("k", 1000))}) // a tombstone has no value
			w.start()
			w.expect("dead 0-0")
		})
	})
	t.Run("dead letters count", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorker(t)
			w.cfg.BatchBytes = 1000
			w.topic.put(recordbatch.Record{Value: []byte(strings.Repeat("x", 1000))})
			w.start()
			w.expect("dead 0-0")
		})
	})
}

// A batch is sealed at its flush age, however often records are added to it.
func TestCutByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.cfg.BatchRows = 1000 // only the age can cut
		w.start()
		pass(10 * time.Minute)
		w.expect("") // an idle partition inserts and commits nothing
		w.topic.add(1)
		for range 9 {
			pass(100 * time.Millisecond)
			w.topic.add(1)
		}
		pass(99 * time.Millisecond)
		w.expect("")
		pass(time.Millisecond)
		w.expect("insert 0-9")
	})
}

// A partition inserts once in a flush age, whenever the first record came, and no record waits longer than that.
func TestFlushPhase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.flushAge, w.phase = 5*time.Second, 2*time.Second // the bubble's clock begins at a full minute
		w.start()
		pass(1900 * time.Millisecond)
		w.topic.add(1)
		pass(99 * time.Millisecond)
		w.expect("")
		pass(time.Millisecond)
		w.expect("insert 0-0")
		pass(time.Millisecond)
		w.topic.add(1)
		pass(4998 * time.Millisecond)
		w.expect("insert 0-0, commit 1")
		pass(time.Millisecond)
		w.expect("insert 0-0, commit 1, insert 1-1")
	})
}
