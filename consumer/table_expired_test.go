package consumer

import (
	"fmt"
	"testing"
	"time"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/retention"
	"sluice/internal/recordbatch"
)

// Rows that are too old for their project are removed within their insert. After an insert without an answer, and after
// a crash between the insert and the commit, the consumer asks which rows are missing: these are not, and it goes on. It
// would insert each of them several times alone otherwise.
func TestExpiredRowsAreNotMissing(t *testing.T) {
	const n, block = 400, 100
	for name, c := range map[string]struct {
		policy retention.Policy
		crash  bool
		only   string
	}{
		"answer lost":            {policy: retention.Policy{All: 90 * day, Projects: map[string]time.Duration{"brief": 2 * day}}, only: "long"},
		"crash":                  {policy: retention.Policy{All: 90 * day, Projects: map[string]time.Duration{"brief": 2 * day}}, crash: true, only: "long"},
		"crash, for all":         {policy: retention.Policy{All: 2 * day}, crash: true},
		"answer lost, all young": {policy: retention.Policy{All: 20 * day, Projects: map[string]time.Duration{"brief": 10 * day}}, only: "both"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := migrated(t)
			d.ask("ALTER TABLE events_raw MODIFY TTL " + c.policy.TTL())
			var records []recordbatch.Record
			for i := range n {
				project := []string{"brief", "long"}[i%2]
				records = append(records, fromGateway(int64(i), project, idV4(uint64(i)), time.Now().AddDate(0, 0, -5), fmt.Sprintf(`{"message":"m %d"}`, i)))
			}
			proxy := clickhousetest.NewProxy(t)
			store := d.store("http://" + proxy.Addr + "/" + d.name)
			owner := func(edit ...func(*worker)) *worker {
				w, _ := onEngine(t, store, records, append(edit, func(w *worker) { w.cfg.BatchRows = block })...)
				return w
			}
			w := owner()
			if c.crash {
				proxy.Stay(clickhousetest.AnswerLost)
				w.startUnbubbled()
				waitUntil(t, "an insert without an answer", func() bool { return len(proxy.Tokens()) > 0 })
				w.stop()
				proxy.Stay(clickhousetest.NoFault)
				first := w.topic
				w = owner(func(w *worker) { w.topic, w.kafka, w.offsets, w.deadLetters = first, first, first, first })
			} else {
				proxy.Plan(clickhousetest.AnswerLost, clickhousetest.AnswerLost, clickhousetest.AnswerLost)
			}
			before := len(proxy.Tokens())
			w.startUnbubbled()
			waitUntil(t, "all of it", func() bool { return w.topic.at() == n })
			d.ask("OPTIMIZE TABLE events_raw FINAL")
			want := map[string]string{"": "0\t0", "long": "0\t200", "both": "200\t200"}[c.only]
			d.asks("SELECT countIf(project_id = 'brief'), countIf(project_id = 'long') FROM events", want)
			if more := len(proxy.Tokens()) - before; more > 3*n/block {
				t.Errorf("%d inserts of %d blocks", more, n/block)
			}
			if len(w.topic.letters) > 0 {
				t.Errorf("%d dead letters", len(w.topic.letters))
			}
		})
	}
}

const day = 24 * time.Hour
