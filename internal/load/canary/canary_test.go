package canary

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pipe is a gateway and a table in one: an event is queryable after a delay.
type pipe struct {
	mu     sync.Mutex
	delay  time.Duration
	refuse error
	down   error
	sent   map[uuid.UUID]time.Time
	asked  int
	most   int // ids of one question
}

func (p *pipe) send(_ context.Context, id uuid.UUID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse == nil {
		p.sent[id] = time.Now()
	}
	return p.refuse
}

func (p *pipe) present(_ context.Context, ids []uuid.UUID) (map[uuid.UUID]bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	p.most = max(p.most, len(ids))
	there := map[uuid.UUID]bool{}
	for _, id := range ids {
		if at, ok := p.sent[id]; ok && time.Since(at) >= p.delay {
			there[id] = true
		}
	}
	return there, p.down
}

func (p *pipe) close() {}

func (p *pipe) set(edit func(*pipe)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	edit(p)
}

var config = Config{
	URL: "http://127.0.0.1:8080", ClickHouse: "clickhouse://127.0.0.1:9000/sluice", Every: 30 * time.Second,
	LateAfter: time.Minute, Timeout: time.Second,
}

// TestCanary: times are measured to a fraction of a second with few questions, failures are counted by reason, and the
// log has a line for each change and no other.
func TestCanary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		way := &pipe{delay: 1200 * time.Millisecond, sent: map[uuid.UUID]time.Time{}}
		c := newCanary(config, way, way, prometheus.NewRegistry(), slog.New(slog.NewTextHandler(&log, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		pass := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		failed := func(reason string) float64 { return testutil.ToFloat64(c.metrics.failures.WithLabelValues(reason)) }
		lines := func() int { return strings.Count(log.String(), "\n") }

		pass(301 * time.Second)
		assert.InDelta(t, 11, testutil.ToFloat64(c.metrics.sent), 0)
		pass(4 * time.Second)
		assert.InDelta(t, 1.2, testutil.ToFloat64(c.metrics.last), 0.15)
		assert.Zero(t, testutil.ToFloat64(c.metrics.inFlight))
		assert.LessOrEqual(t, way.asked, 11*14)
		assert.Equal(t, 2, lines(), log.String())

		way.set(func(p *pipe) { p.delay = 150 * time.Second })
		pass(330 * time.Second)
		assert.NotZero(t, testutil.ToFloat64(c.metrics.inFlight))
		assert.InDelta(t, 9, failed(reasonLate), 1)
		assert.Equal(t, 3, lines(), log.String())
		assert.Contains(t, log.String(), `level=ERROR msg="canary events are not queryable" reason=late events=1`)
		way.set(func(p *pipe) { p.delay = time.Second })
		pass(30 * time.Second)
		assert.Equal(t, 4, lines(), log.String())
		assert.Zero(t, testutil.ToFloat64(c.metrics.inFlight))

		way.set(func(p *pipe) { p.refuse = &failure{reasonUnavailable, errors.New("status 503: kafka is away")} })
		pass(300 * time.Second)
		assert.InDelta(t, 10, failed(reasonUnavailable), 0)
		assert.Equal(t, 5, lines(), log.String())
		way.set(func(p *pipe) { p.refuse, p.down = nil, errors.New("no route") })
		pass(300 * time.Second)
		assert.NotZero(t, failed(reasonQuery))
		assert.Zero(t, failed(reasonLost))
		assert.Equal(t, 7, lines(), log.String())
		way.set(func(p *pipe) { p.down = nil })
		pass(30 * time.Second)
		assert.Equal(t, 8, lines(), log.String())

		way.set(func(p *pipe) { p.delay = 3 * time.Hour })
		pass(2 * time.Hour)
		assert.InDelta(t, 120, failed(reasonLost), 2)
		assert.LessOrEqual(t, way.most, 121)
		assert.Equal(t, 9, lines(), log.String())
		cancel()
		require.NoError(t, <-done)
	})
}

// TestPendingIsBounded: many events that never arrive do not fill the memory.
func TestPendingIsBounded(t *testing.T) {
	way := &pipe{sent: map[uuid.UUID]time.Time{}}
	c := newCanary(config, way, way, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	for n := range mostPending + 1 {
		require.NoError(t, c.sendOne(t.Context()))
		require.Len(t, c.pending, min(n+1, mostPending))
	}
	assert.InDelta(t, 1, testutil.ToFloat64(c.metrics.failures.WithLabelValues(reasonLost)), 0)
}

// TestEvent: a canary's event is JSON, and its id says what it is and when it was made.
func TestEvent(t *testing.T) {
	id, err := newID()
	require.NoError(t, err)
	assert.Equal(t, uuid.Version(7), id.Version())
	assert.Equal(t, "63616e617279", id.String()[24:])
	seconds, _ := id.Time().UnixTime()
	assert.WithinDuration(t, time.Now(), time.Unix(seconds, 0), 2*time.Second)
	assert.True(t, json.Valid(bodyOf(id)))
	assert.Less(t, len(bodyOf(id)), 256)
}

// TestCheck: each fault is named.
func TestCheck(t *testing.T) {
	require.NoError(t, config.Check())
	bad := Config{URL: "nowhere", Every: time.Second - 1}
	for _, flag := range []string{"--url", "--every", "--late-after", "--timeout"} {
		assert.ErrorContains(t, bad.Check(), flag)
	}
	ok := config
	ok.Every = minEvery
	require.NoError(t, ok.Check())
	ok.ClickHouse = "nonsense"
	_, err := New(ok, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "--clickhouse")
}
