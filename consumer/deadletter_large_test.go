package consumer

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A dead-letter topic that takes less than a batch takes its records one by one; what is too large alone is an error that names the topic,
// and its hint the setting.
func TestBuryWhatTheTopicTakes(t *testing.T) {
	const most = 300_000
	b := newBroker(t, 1)
	b.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.KeepControl()
		req := r.(*kmsg.ProduceRequest)
		if len(req.Topics[0].Partitions[0].Records) <= most {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic, topic.TopicID = req.Topics[0].Topic, req.Topics[0].TopicID
		part := kmsg.NewProduceResponseTopicPartition()
		part.Partition, part.ErrorCode = req.Topics[0].Partitions[0].Partition, kerr.MessageTooLarge.Code
		topic.Partitions = append(topic.Partitions, part)
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	var letters []deadLetter
	for i := range 20 {
		r := record{offset: int64(i), value: noise(byte(i), 100_000)}
		letters = append(letters, newDeadLetter(&r, errors.New("x")))
	}
	if err := b.bury(t.Context(), 0, letters); err != nil {
		t.Fatal(err)
	}
	for i, r := range b.dead(t, 20) {
		if len(r.Value) != 100_000 || r.Value[0] != byte(i) {
			t.Errorf("letter %d: %d bytes of %d", i, len(r.Value), r.Value[0])
		}
	}
	huge := record{offset: 20, value: noise(20, most+1)}
	err := b.bury(t.Context(), 0, []deadLetter{newDeadLetter(&huge, errors.New("x"))})
	if err == nil || !strings.Contains(err.Error(), "events.dead") || !strings.Contains(hint(err), "max.message.bytes") {
		t.Errorf("%v, hint %q", err, hint(err))
	}
}

// What a dead-letter topic refuses for good is an error with something to do; what passes is a warning.
func TestDeadLetterHints(t *testing.T) {
	for code, want := range map[kafka.Error]string{
		kafka.MessageSizeTooLarge: "max.message.bytes", kafka.RecordListTooLarge: "max.message.bytes", kafka.TopicAuthorizationFailed: "WRITE",
		kafka.InvalidRecord: "cleanup.policy=delete", kafka.NotEnoughReplicas: "nothing to do if it passes",
	} {
		synctest.Test(t, func(t *testing.T) {
			log := &lines{}
			w := newWorker(t, func(w *worker) { w.log = slog.New(slog.NewTextHandler(log, nil)) })
			w.topic.burials = always(outcome{err: fmt.Errorf("dead letters: %w", code)})
			w.topic.put(record{})
			w.start()
			pass(time.Minute)
			level := "level=ERROR"
			if code == kafka.NotEnoughReplicas {
				level = "level=WARN"
			}
			if text := log.String(); strings.Count(text, "is blocked") != 1 || !strings.Contains(text, level) || !strings.Contains(text, want) {
				t.Errorf("%v: said:\n%s", code, text)
			}
			w.topic.burials.change(succeeds)
			pass(time.Minute)
		})
	}
}
