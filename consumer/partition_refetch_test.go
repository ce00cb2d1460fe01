package consumer

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/consumer/kafka"
	"sluice/internal/event"
)

// The record of a refused row is not on the topic any more: retention removed it, it is missing among others, or the
// topic was created anew and another record has its offset. The dead letter is made of the row, and the partition goes
// on.
func TestRefusedRowWhoseRecordIsGone(t *testing.T) {
	for name, remove := range map[string]func(*memoryTopic){
		"removed": func(m *memoryTopic) { m.expire(8) },
		"missing": func(m *memoryTopic) {
			m.mu.Lock()
			m.records = append(m.records[:5:5], m.records[6:]...)
			m.mu.Unlock()
		},
		"last":     func(m *memoryTopic) { m.mu.Lock(); m.records = m.records[:5]; m.mu.Unlock() },
		"emptied":  func(m *memoryTopic) { m.mu.Lock(); m.records, m.end = nil, 0; m.mu.Unlock() },
		"replaced": func(m *memoryTopic) { m.mu.Lock(); m.records[5] = later(5); m.mu.Unlock() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorker(t, func(w *worker) { w.topic.burials = always(fails) })
				w.table.refuses = func(offset int64) bool { return offset == 5 }
				w.topic.add(10)
				value := string(w.topic.records[5].Value)
				w.start()
				pass(time.Minute) // all else is in, and the dead-letter topic is away
				remove(w.topic)
				w.topic.burials.change(succeeds)
				pass(time.Minute)
				l, dead := w.topic.letters[5]
				end := int64(10)
				if name == "emptied" { // it goes on there
					end = 0
				}
				if !dead || len(w.topic.letters) != 1 || w.topic.at() != end {
					t.Fatalf("%d dead letters, committed %d", len(w.topic.letters), w.topic.at())
				}
				e, err := event.ParseHeaders(l.Headers)
				if err != nil || e.ID != idV4(5) || e.Project != "demo" || string(l.Value) != value || l.Reason != event.DeadRefusedByDatabase ||
					!strings.Contains(l.Text, "made of the row") {
					t.Errorf("the letter is %+v of %+v, %v", l, e, err)
				}
			})
		})
	}
}

// A leader that says for a moment that it does not have the record is asked again. After three such answers in a row
// the dead letter is made of the row.
func TestRefusedRowWhoseRecordSeemsGone(t *testing.T) {
	for times := range goneAnswers + 2 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorker(t, func(w *worker) { w.kafka = &forgetful{memoryTopic: w.topic, offset: 5, times: times} })
			w.table.refuses = func(offset int64) bool { return offset == 5 }
			w.topic.add(10)
			w.topic.records[5].Key = []byte("key")
			w.start()
			pass(time.Minute)
			if l := w.topic.letters[5]; (string(l.Key) == "key") != (times < goneAnswers) || len(l.Value) == 0 || w.topic.at() != 10 {
				t.Errorf("after %d times: the letter is %+v, committed %d", times, l, w.topic.at())
			}
		})
	}
}

// forgetful is a topic that at first does not have the record at an offset.
type forgetful struct {
	*memoryTopic

	offset int64
	times  int
}

func (f *forgetful) Fetch(ctx context.Context, partition int, offset int64, wait time.Duration) (*kafka.Answer, error) {
	if offset == f.offset && f.times > 0 {
		f.times--
		return nil, kafka.ErrOffsetOutOfRange
	}
	return f.memoryTopic.Fetch(ctx, partition, offset, wait)
}
