package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/segmentio/kafka-go"
)

// ledger is what the client was answered, in the words of sluice.outcomes: project protocol outcome reason.
type ledger struct {
	p        *pipeline
	counts   map[string]int64
	accepted map[string]map[string]bool // ids answered with 202, by project and protocol
}

func newLedger(p *pipeline) *ledger {
	return &ledger{p: p, counts: map[string]int64{}, accepted: map[string]map[string]bool{}}
}

func (l *ledger) keep(where, id string) {
	if l.accepted[where] == nil {
		l.accepted[where] = map[string]bool{}
	}
	l.accepted[where][strings.ReplaceAll(id, "-", "")] = true
}

// bulk sends a bulk of our own protocol and notes each event's answer. ids are the events' own.
func (l *ledger) bulk(project string, ids []string, events []string) {
	l.p.t.Helper()
	a := postAs(l.p.t, keyOf(project), l.p.url+"/api/v1/events/bulk", "application/x-ndjson", strings.Join(events, "\n"))
	if a.status == 429 && a.Rejected == 0 { // nothing was left of the limit: the body was not read
		l.counts[project+" native rate_limited rate_limit"]++
		return
	}
	if a.status != 202 {
		l.p.t.Fatalf("bulk: %+v", a)
	}
	refused := map[int]bool{}
	for _, e := range a.Errors {
		refused[e.Index] = true
		l.counts[project+" native rejected invalid_event"]++
	}
	for _, r := range a.Retry {
		for i := r[0]; i <= r[1]; i++ {
			refused[i] = true
			l.counts[project+" native rejected invalid_event"]--
			l.counts[project+" native rate_limited rate_limit"]++
		}
	}
	for i, id := range ids {
		if !refused[i] {
			l.keep(project+" native", id)
		}
	}
}

// single sends one event. It reports whether the event was kept.
func (l *ledger) single(project, body string) bool {
	l.p.t.Helper()
	a := postAs(l.p.t, keyOf(project), l.p.url+"/api/v1/events", "application/json", body)
	switch a.status {
	case 202:
		l.keep(project+" native", a.EventID)
		return true
	case 429:
		l.counts[project+" native rate_limited rate_limit"]++
	case 401:
		l.counts[" native rejected unauthorized"]++
	default:
		l.counts[project+" native rejected "+a.Code]++
	}
	return false
}

// sentry sends an event, an event that is no JSON, and a report of what a client dropped, as Sentry's clients do.
func (l *ledger) sentry(project string) {
	l.p.t.Helper()
	send := func(path, body string) int {
		req, err := http.NewRequestWithContext(l.p.t.Context(), http.MethodPost, l.p.url+path, strings.NewReader(body))
		if err != nil {
			l.p.t.Fatal(err)
		}
		req.Header.Set("X-Sentry-Auth", "Sentry sentry_version=7, sentry_key="+keyOf(project))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			l.p.t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // nothing is read
		return resp.StatusCode
	}
	id := strings.ReplaceAll(uuid.NewString(), "-", "")
	if status := send("/api/1/store/", fmt.Sprintf(`{"event_id":%q,"message":"from a stock client","level":"error"}`, id)); status != http.StatusOK {
		l.p.t.Fatalf("store: %d", status)
	}
	l.keep(project+" sentry", id)
	if status := send("/api/1/store/", `{"message":`); status != http.StatusBadRequest {
		l.p.t.Fatalf("store: %d", status)
	}
	l.counts[project+" sentry rejected malformed"]++
	report := `{"timestamp":1795435200,"discarded_events":[{"reason":"queue_overflow","category":"error","quantity":3},` +
		`{"reason":"made up","category":"transaction","quantity":2}]}`
	if status := send("/api/1/envelope/", "{}\n"+`{"type":"client_report"}`+"\n"+report+"\n"); status != http.StatusOK {
		l.p.t.Fatalf("envelope: %d", status)
	}
	l.counts[project+" sentry client_dropped queue_overflow"] += 3
	l.counts[project+" sentry client_dropped other"] += 2
}

// want is what sluice.outcomes must say. accepted and filtered together are the events that were kept.
func (l *ledger) want() map[string]int64 {
	out := maps.Clone(l.counts)
	for where, ids := range l.accepted {
		out[where+" kept "] = int64(len(ids))
	}
	maps.DeleteFunc(out, func(_ string, n int64) bool { return n == 0 })
	return out
}

// said is what sluice.outcomes says.
func (l *ledger) said() map[string]int64 {
	l.p.t.Helper()
	out := map[string]int64{}
	l.p.eventually("an answer of the table", func() bool {
		clear(out)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		rows, err := l.p.db.Query(ctx, "SELECT concat(project_id, ' ', protocol, ' ', "+
			"if(outcome IN ('accepted', 'filtered'), 'kept ', concat(outcome, ' ', reason))) AS what, "+
			"toInt64(sum(events)) FROM outcomes GROUP BY what")
		if err != nil {
			return false
		}
		defer rows.Close() //nolint:errcheck // Err says it
		for rows.Next() {
			var what string
			var n int64
			if rows.Scan(&what, &n) != nil {
				return false
			}
			out[what] = n
		}
		return rows.Err() == nil
	})
	return out
}

// settles waits until the table says what the client was answered, and then looks once more.
func (l *ledger) settles() {
	l.p.t.Helper()
	l.p.within(3*time.Minute, fmt.Sprintf("the outcomes %v", l.want()), func() bool {
		return l.p.tryLag() == 0 && maps.Equal(l.said(), l.want())
	})
}

// sums compares the table when nothing moves any more.
func (l *ledger) sums() {
	l.p.t.Helper()
	l.p.within(3*time.Minute, "no lag", func() bool { return l.p.tryLag() == 0 })
	if got, want := l.said(), l.want(); !maps.Equal(got, want) {
		l.p.t.Fatalf("the table says\n%v\nand the client was answered\n%v", got, want)
	}
}

func keyOf(project string) string { return "key-of-" + project }

// twoProjects writes a projects file with a project without a limit and one with a small limit.
func (p *pipeline) twoProjects() {
	p.t.Helper()
	sum := func(project string) string {
		s := sha256.Sum256([]byte(keyOf(project)))
		return hex.EncodeToString(s[:])
	}
	text := "projects:\n  - id: e2e\n    keys: [{name: test, sha256: " + sum("e2e") + "}]\n    limit: {unlimited: true}\n" +
		"  - id: tight\n    keys: [{name: test, sha256: " + sum("tight") + "}]\n    limit: {events: 20, window: 1h}\n"
	if err := os.WriteFile(p.projects, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// mix sends good events, events that are refused, and more than a limit takes. It returns what it sent in bulk.
func (l *ledger) mix() (ids, events []string) {
	l.p.t.Helper()
	for i := range 60 {
		id := uuid.NewString()
		ids = append(ids, id)
		if i%6 == 5 {
			events = append(events, fmt.Sprintf(`{"event_id":%q,"message":"m","level":"loud"}`, id))
		} else {
			events = append(events, fmt.Sprintf(`{"event_id":%q,"message":"event %d"}`, id, i))
		}
	}
	l.bulk("e2e", ids, events)
	for i := range 9 {
		l.single("e2e", fmt.Sprintf(`{"message":"single %d"}`, i))
		l.single("e2e", `{"message":`)
		l.sentry("e2e")
		l.single("nobody", `{"message":"x"}`)
		l.single("tight", fmt.Sprintf(`{"message":"single %d"}`, i))
	}
	var more []string
	own := make([]string, 15)
	for i := range own {
		own[i] = uuid.NewString()
		more = append(more, fmt.Sprintf(`{"event_id":%q,"message":"event %d"}`, own[i], i))
	}
	l.bulk("tight", own, more)
	return ids, events
}

// dies waits until a consumer has killed itself.
func (p *pipeline) dies(c *program) {
	p.t.Helper()
	p.within(2*time.Minute, "the crash", func() bool {
		select {
		case <-c.done:
			return true
		default:
			return false
		}
	})
}

// TestOutcomesAreExact: whatever is killed, restarted and sent again, sluice.outcomes says to the event what the client
// was answered, once the gateway has published what it refused.
func TestOutcomesAreExact(t *testing.T) {
	t.Parallel()
	p := newPipelineThatKills(t, 3)
	p.twoProjects()
	l := newLedger(p)
	gateway := p.startGateway("127.0.0.1:0")
	// The first consumer dies before the first counts are inserted, the second one after that and before the offset moves.
	first := p.consumerThat("before_outcomes:1")
	ids, events := l.mix()
	p.produce(0, kafka.Record{Value: kafka.NewBytes([]byte("not an event"))})
	l.counts[" unknown dead_lettered missing_header"]++
	if code := gateway.term(); code != 0 {
		t.Fatalf("the gateway ended with %d", code)
	}
	p.dies(first)
	p.dies(p.consumerThat("after_outcomes:1"))
	consumer := p.startConsumer()
	l.settles()

	// Another gateway: the events again, which are the same events, and the refused ones again, which are refused again.
	gateway = p.startGateway("127.0.0.1:0")
	l.bulk("e2e", ids, events)
	l.mix()
	l.settles() // by now what was refused is published
	for i := range 25 {
		l.single("e2e", fmt.Sprintf(`{"message":"before the kill %d"}`, i))
	}
	gateway.kill()
	l.settles()
	if code := consumer.term(); code != 0 {
		t.Fatalf("the consumer ended with %d", code)
	}

	// A third gateway and a second consumer, which drains while counts are on their way.
	gateway = p.startGateway("127.0.0.1:0")
	consumer = p.startConsumer()
	l.mix()
	if code := gateway.term(); code != 0 {
		t.Fatalf("the gateway ended with %d", code)
	}
	if code := consumer.term(); code != 0 {
		t.Fatalf("the consumer ended with %d", code)
	}
	p.startConsumer()
	l.sums()
	if n := p.scalar("SELECT count() FROM events"); n != uint64(l.want()["e2e native kept "]+l.want()["e2e sentry kept "]+l.want()["tight native kept "]) {
		t.Errorf("sluice.events has %d rows, and %v were kept", n, l.want())
	}
	if n := p.scalar("SELECT count() FROM events WHERE project_id NOT IN ('e2e', 'tight')"); n != 0 {
		t.Errorf("%d rows of sluice.events are no events", n)
	}
}

// TestOutcomesOfSampling: each event that was kept is either accepted or filtered, whoever was killed in between.
func TestOutcomesOfSampling(t *testing.T) {
	t.Parallel()
	p := newPipelineThatKills(t, 3)
	p.twoProjects()
	l := newLedger(p)
	p.startGateway("127.0.0.1:0")
	first := p.consumerThat("after_outcomes:2", "--sample", "0.4")
	l.mix()
	p.dies(first)
	p.startConsumer("--sample", "0.4")
	l.mix()
	l.settles()
	rows, filtered := p.scalar("SELECT count() FROM events"), p.scalar("SELECT sum(events) FROM outcomes WHERE outcome = 'filtered' AND reason = 'sample'")
	if accepted := p.scalar("SELECT sum(events) FROM outcomes WHERE outcome = 'accepted'"); accepted != rows || rows == 0 || filtered == 0 {
		t.Errorf("%d accepted, %d rows, %d filtered", accepted, rows, filtered)
	}
}
