package consumer

import (
	"errors"
	"fmt"
	"sluice/consumer/delivery"
	"sluice/internal/recordbatch"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
)

// later is an event of another life of the topic: its offset was used before, by another event.
func later(offset int64) recordbatch.Record {
	return fromGateway(offset, "demo", laterID(offset), time.Now(), fmt.Sprintf(`{"message":"event %d"}`, offset))
}

func laterID(offset int64) uuid.UUID { return idV4(uint64(1000 + offset)) } //nolint:gosec // not negative

// addLater appends n of them.
func (m *memoryTopic) addLater(n int) {
	records := make([]recordbatch.Record, n)
	for i := range records {
		records[i] = later(m.next() + int64(i))
	}
	m.put(records...)
}

// laterOnce wants the later events of offsets in the table, once each, and the earlier events of all offsets below earlier, too.
func (w *worker) laterOnce(from, to, earlier int64) {
	w.t.Helper()
	for offset := from; offset < to; offset++ {
		if n := w.table.ids[offset][laterID(offset)]; n != 1 {
			w.t.Errorf("the later event at %d is there %d times", offset, n)
		}
	}
	for offset := range earlier {
		if n := w.table.ids[offset][idV4(uint64(offset))]; n != 1 { //nolint:gosec // not negative
			w.t.Errorf("the earlier event at %d is there %d times", offset, n)
		}
	}
}

// cuts are what the topic's end may look like after an unclean election at 12 of 20 records: the new leader has written nothing yet, less than was
// read, as much, or more. Where it is more, no fetch is out of range.
var cuts = []int{0, 1, 7, 8, 9, 30}

func TestUncleanElection(t *testing.T) {
	for _, written := range cuts {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d written, restart %v", written, restart), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorker(t)
					w.topic.add(20)
					w.start()
					pass(time.Minute)
					w.onceBelow(20)
					if restart {
						w.stop()
					}
					w.topic.elect(12)
					w.topic.addLater(written)
					if restart {
						w = w.next()
						w.start()
					}
					pass(time.Minute)
					w.topic.addLater(3)
					pass(time.Minute)
					end := int64(12 + written + 3)
					w.laterOnce(12, end, 20)
					w.atRest(end, 0)
					if got := w.gauge(w.metrics.truncations); got != 1 {
						t.Errorf("counted %v cuts", got)
					}
					want := 20 + written + 3
					if written >= 8 {
						want++ // by the one at 20 it is noticed
					}
					if w.topic.delivered != want {
						t.Errorf("%d records read, want %d: what both logs have is not read again", w.topic.delivered, want)
					}
				})
			})
		}
	}
}

// Ranges that were recorded and are cut off: what is not in the table of them is lost, and counted once.
func TestUncleanElectionWithRecordedRanges(t *testing.T) {
	for _, written := range cuts {
		synctest.Test(t, func(t *testing.T) {
			w := newWorker(t)
			w.topic.add(10)
			w.start()
			pass(time.Minute)
			w.table.inserts.change(fails)
			w.topic.add(10)
			pass(5 * time.Second) // 10-19 is recorded
			w.stop()
			w.table.inserts.change(succeeds)
			w.topic.elect(12)
			w.topic.addLater(written)
			lost, cuts := 0.0, 0.0
			for range 3 {
				n := w.next()
				n.start()
				pass(time.Minute)
				n.stop()
				lost += n.gauge(n.metrics.gaps)
				cuts += n.gauge(n.metrics.truncations)
			}
			end := int64(12 + written)
			w.laterOnce(12, end, 12)
			// A range whose end was written anew has as many records as it had, and others: that is said and not counted.
			if want := float64(max(0, 8-written)); lost != want || w.topic.at() != end {
				t.Errorf("of %d: %v lost, committed %d; want %v and %d", written, lost, w.topic.at(), want, end)
			}
			if want := map[bool]float64{true: 1}[written < 8]; cuts != want {
				t.Errorf("of %d: counted %v cuts, want %v", written, cuts, want)
			}
		})
	}
}

// A leader that has everything takes over: nothing is read twice, and nothing is said.
func TestCleanElection(t *testing.T) {
	for _, marker := range []int64{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorker(t)
			w.topic.add(20)
			w.start()
			pass(time.Minute)
			w.topic.elect(20)
			w.topic.hole(marker)
			pass(time.Minute)
			w.topic.forgot = errors.New("not yet")
			w.topic.elect(20 + marker)
			w.topic.add(10)
			pass(10 * time.Second)
			w.topic.mu.Lock()
			w.topic.forgot = nil
			w.topic.mu.Unlock()
			pass(time.Minute)
			w.atRest(30+marker, 0)
			if w.topic.delivered < 30 || w.gauge(w.metrics.truncations) != 0 {
				t.Errorf("%d records read, %v cuts", w.topic.delivered, w.gauge(w.metrics.truncations))
			}
			for offset := range w.topic.next() {
				if n := w.table.count(offset); n > 1 {
					t.Errorf("offset %d is there %d times", offset, n)
				}
			}
		})
	}
}

// The topic is deleted and made anew under its name, and has more records already than were read of the old one. Its first ones are not skipped.
func TestMadeAnewAndLonger(t *testing.T) {
	for _, restart := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorker(t)
			w.topic.add(20)
			w.start()
			pass(time.Minute)
			if restart {
				w.stop()
			} else {
				w.topic.fetches.change(fails) // while it is away
				pass(time.Second)
			}
			w.topic.mu.Lock()
			w.topic.records, w.topic.end, w.topic.id = nil, 0, uuid.UUID{2}
			w.topic.mu.Unlock()
			w.topic.addLater(30)
			w.topic.fetches.change(succeeds)
			if restart {
				w = w.next()
				w.start()
			}
			pass(time.Minute)
			w.laterOnce(0, 30, 20)
			w.atRest(30, 0)
			if got := w.gauge(w.metrics.truncations); got != 1 {
				t.Errorf("counted %v cuts", got)
			}
			w.stop()
			n := w.next()
			n.start()
			pass(time.Minute)
			if got := n.gauge(n.metrics.truncations); got != 0 || n.topic.delivered != 50 {
				t.Errorf("the next owner counts %v cuts, %d records were read", got, n.topic.delivered)
			}
		})
	}
}

// A broker that has neither ids nor epochs: the partition begins at the oldest record, and inserts only what is new.
func TestCutOffUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.id, w.topic.term = uuid.UUID{}, 0
		w.topic.add(20)
		w.start()
		pass(time.Minute)
		w.topic.elect(12)
		w.topic.term = 0
		w.topic.addLater(2)
		pass(time.Minute)
		w.laterOnce(12, 14, 20)
		w.atRest(14, 0)
	})
}

// While the table is asked what it has from the offset on at which a topic begins anew, ClickHouse may be away for long. That is no reason to
// end the process.
func TestLiveWhileClickHouseIsAwayAtAJump(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		c := &Consumer{owned: map[int]*partition{}}
		c.own(w.partition)
		w.topic.add(20)
		w.start()
		pass(time.Minute)
		w.table.reads.change(fails)
		w.topic.elect(12)
		w.topic.addLater(30)
		for range 60 {
			pass(time.Minute)
			if err := c.Live(); err != nil {
				t.Fatal(err)
			}
		}
		w.table.reads.change(succeeds)
		pass(time.Minute)
		w.laterOnce(12, 42, 20)
	})
}

// The owner of a range that was recorded before commits whose term it ends in, so that the next one sees an unclean election as well.
func TestTermOfAReplayedRange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.table.inserts = always(fails)
		w.topic.add(10)
		w.start()
		pass(5 * time.Second)
		w.stop() // 0-9 is recorded
		w.table.inserts.change(succeeds)
		n := w.next()
		n.start()
		pass(time.Minute)
		n.stop()
		if _, of, ok := delivery.DecodeAll(n.topic.head, n.topic.metadata); !ok || of.Term != n.topic.term || n.topic.head != 10 {
			t.Errorf("committed %d of the term %d, which is %d", n.topic.head, of.Term, n.topic.term)
		}
	})
}

// A broker that does not know topic ids any more takes none of the log's offsets away.
func TestTopicIDThatIsNotKnownAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.add(1)
		w.start()
		pass(time.Minute)
		w.topic.elect(0)
		pass(time.Minute)
		w.topic.addLater(1)
		w.stop()
		w.topic.mu.Lock()
		w.topic.id, w.topic.head = uuid.UUID{}, 0
		w.topic.metadata = (&delivery.Ranges{Origin: delivery.Origin{Topic: uuid.UUID{1}, Term: w.topic.term}}).Metadata()
		w.topic.mu.Unlock()
		n := w.next()
		n.start()
		pass(time.Minute)
		n.laterOnce(0, 1, 1)
		if n.topic.at() != 1 {
			t.Errorf("committed %d", n.topic.at())
		}
	})
}
