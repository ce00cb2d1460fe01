package consumer

import (
	"fmt"
	"log/slog"
	"sluice/internal/recordbatch"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
)

// If the dead-letter topic refuses a letter for good, the log has an error and says what to do. What passes is a warning.
func TestDeadLetterHints(t *testing.T) {
	for code, want := range map[kafka.Error]string{
		kafka.MessageSizeTooLarge: "max.message.bytes", kafka.RecordListTooLarge: "max.message.bytes", kafka.TopicAuthorizationFailed: "WRITE",
		kafka.InvalidRecord: "cleanup.policy=delete", kafka.NotEnoughReplicas: "nothing to do if it passes",
	} {
		synctest.Test(t, func(t *testing.T) {
			log := &lines{}
			w := newWorker(t, func(w *worker) { w.log = slog.New(slog.NewTextHandler(log, nil)) })
			w.topic.burials = always(outcome{err: fmt.Errorf("dead letters: %w", code)})
			w.topic.put(recordbatch.Record{})
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
