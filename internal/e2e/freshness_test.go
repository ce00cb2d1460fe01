package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// The load of BenchmarkFreshness: so many bulks a second of so many events.
const (
	freshBulk    = 50
	freshRate    = 10_000
	freshWarm    = 10 * time.Second // not measured: the group settles, the first parts merge
	freshFor     = 40 * time.Second
	freshSenders = 16
)

// BenchmarkFreshness measures how long it takes from an event's 202 until it is to be seen in the view events, at 10,000 events a
// second on 12 partitions, with the programs as they are and the settings as they are by default. The first event of each bulk is looked
// for in the view itself, over and over; what the looking takes counts.
//
// to_limit compares the 99th percentile with the flush age plus the mean time of an insert; to_p99_insert with the flush age plus
// the 99th percentile of inserts.
//
//	go test ./internal/e2e -run '^$' -bench Freshness -benchtime 1x
func BenchmarkFreshness(b *testing.B) {
	p := newPipeline(b, 12)
	p.startGateway("127.0.0.1:0")
	c := p.consumerAsItIs("--log-level", "debug")
	c.says(`msg="partitions assigned"`)
	f := &freshness{pipeline: p, acked: map[uuid.UUID]time.Time{}}
	ctx, cancel := context.WithTimeout(b.Context(), freshWarm+freshFor)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { f.send(ctx) })
	all.Go(func() { f.look(ctx) })
	all.Wait()

	inserts := insertTimes(b, c.output())
	age, err := time.ParseDuration(c.says(`msg="partitions assigned".* flush_age=(\S+)`))
	if err != nil {
		b.Fatal(err)
	}
	var mean time.Duration
	for _, d := range inserts {
		mean += d / time.Duration(len(inserts))
	}
	p99 := percentile(f.seen, 0.99)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(f.sent)/(freshWarm+freshFor).Seconds(), "events/s")
	b.ReportMetric(float64(len(f.seen)), "samples")
	b.ReportMetric(ms(percentile(f.seen, 0.5)), "p50_ms")
	b.ReportMetric(ms(p99), "p99_ms")
	b.ReportMetric(ms(age), "flush_age_ms")
	b.ReportMetric(ms(mean), "insert_mean_ms")
	b.ReportMetric(ms(percentile(inserts, 0.99)), "insert_p99_ms")
	b.ReportMetric(ms(percentile(f.looks, 0.5)), "look_ms")
	b.ReportMetric(p99.Seconds()/(age+mean).Seconds(), "to_limit")
	b.ReportMetric(p99.Seconds()/(age+percentile(inserts, 0.99)).Seconds(), "to_p99_insert")
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func percentile(of []time.Duration, q float64) time.Duration {
	slices.Sort(of)
	return of[min(len(of)-1, int(q*float64(len(of))))]
}

var insertTook = regexp.MustCompile(`msg="block inserted".* took=(\S+)`)

// insertTimes are what the consumer says its inserts took; the histogram's buckets are too coarse for a ratio.
func insertTimes(b *testing.B, log string) (all []time.Duration) {
	b.Helper()
	for _, m := range insertTook.FindAllStringSubmatch(log, -1) {
		d, err := time.ParseDuration(m[1])
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, d)
	}
	if len(all) == 0 {
		b.Fatal("the consumer inserted nothing")
	}
	return all
}

// freshness is one run.
type freshness struct {
	*pipeline
	mu    sync.Mutex
	sent  int
	acked map[uuid.UUID]time.Time // not seen yet: when their 202 came
	seen  []time.Duration         // from a 202 to its event seen
	looks []time.Duration         // what looking took
}

// send keeps to its schedule, on a few connections, until ctx ends.
func (f *freshness) send(ctx context.Context) {
	begin := time.Now()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: freshSenders}}
	defer client.CloseIdleConnections()
	turns := make(chan struct{})
	var all sync.WaitGroup
	for range freshSenders {
		all.Go(func() {
			for range turns {
				f.bulk(ctx, client, time.Since(begin) > freshWarm)
			}
		})
	}
	every := time.NewTicker(time.Second * freshBulk / freshRate)
	defer every.Stop()
	for due := 0; ctx.Err() == nil; {
		select {
		case <-every.C: // a tick that was missed is made up for
			for now := int(time.Since(begin).Seconds() * freshRate / freshBulk); due < now; due++ {
				turns <- struct{}{}
			}
		case <-ctx.Done():
		}
	}
	close(turns)
	all.Wait()
}

func (f *freshness) bulk(ctx context.Context, client *http.Client, measured bool) {
	first := uuid.Must(uuid.NewV7())
	var body bytes.Buffer
	for i := range freshBulk {
		id := first
		if i > 0 {
			id = uuid.Must(uuid.NewV7())
		}
		fmt.Fprintf(&body, `{"event_id":"%s","message":"payment declined, order #%d","level":"error","environment":"production","release":"shop@4.7.2","tags":{"region":"eu"},"user":{"id":"%d"}}`+"\n", id, i, i%7)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url+"/api/v1/events/bulk", &body)
	if err != nil {
		f.t.Error(err)
		return
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := client.Do(req)
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		f.t.Error(err)
		return
	}
	at := time.Now()
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		f.t.Errorf("a bulk was answered %d", resp.StatusCode)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent += freshBulk
	if measured {
		f.acked[first] = at
	}
}

// look asks the view for what was acknowledged and not seen yet, until ctx ends and nothing is left. The times in the ids let
// ClickHouse leave out what is older.
func (f *freshness) look(ctx context.Context) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for gaveUp := time.Now().Add(freshWarm + freshFor + time.Minute); time.Now().Before(gaveUp); <-tick.C {
		f.mu.Lock()
		oldest := time.Now()
		var ids []string
		for id, at := range f.acked {
			ids = append(ids, "'"+id.String()+"'")
			if at.Before(oldest) {
				oldest = at
			}
		}
		f.mu.Unlock()
		switch {
		case len(ids) == 0 && ctx.Err() != nil:
			return
		case len(ids) == 0:
			continue
		}
		f.find(ids, oldest.Add(-2*time.Second))
	}
	f.t.Errorf("%d events were not seen", len(f.acked))
}

func (f *freshness) find(ids []string, since time.Time) {
	asked := time.Now()
	rows, err := f.db.Query(context.Background(), "SELECT event_id FROM events WHERE project_id = 'e2e' AND timestamp >= fromUnixTimestamp64Milli("+strconv.FormatInt(since.UnixMilli(), 10)+") AND event_id IN ("+strings.Join(ids, ",")+")")
	if err != nil {
		f.t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // read to its end
	var found []uuid.UUID
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			f.t.Fatal(err)
		}
		found = append(found, id)
	}
	if err := rows.Err(); err != nil {
		f.t.Fatal(err)
	}
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks = append(f.looks, now.Sub(asked))
	for _, id := range found {
		f.seen = append(f.seen, now.Sub(f.acked[id]))
		delete(f.acked, id)
	}
}
