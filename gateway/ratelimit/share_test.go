package ratelimit

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/ratelimit/redistest"
)

// TestUnreported: a store that kept its data is charged for the events that passed without it, less what has refilled
// since. A store that lost its data is charged for all that a full share lacks.
func TestUnreported(t *testing.T) {
	t.Parallel()
	c := newClock()
	full := &estimate{level: 100, full: 100, perSecond: 1, at: c.now()}
	half := &estimate{level: 50, full: 100, perSecond: 1, at: c.now()}
	for name, step := range map[string]struct {
		bucket     *estimate
		passed     int
		wait       time.Duration
		kept, lost int
	}{
		"nothing passed, full":       {full, 0, 0, 0, 0},
		"nothing passed, half":       {half, 0, 0, 0, 50},
		"all of it, at once":         {full, 100, 0, 100, 100},
		"all of it, then a quarter":  {full, 100, 25 * time.Second, 75, 75},
		"all of it, long ago":        {full, 100, 100 * time.Second, 0, 0},
		"part, of half":              {half, 20, 0, 20, 70},
		"part, of half, and refills": {half, 20, 60 * time.Second, 10, 10},
	} {
		s := newShare(step.bucket, 1, c.now())
		require.Equal(t, step.passed, s.take(step.passed, true, c.now()), name)
		now := c.now().Add(step.wait)
		assert.Equal(t, step.kept, s.unreported(false, now), "%s: the store kept its data", name)
		assert.Equal(t, step.lost, s.unreported(true, now), "%s: the store lost its data", name)
	}
}

// TestAnswerToNobody: events that the store gave to a request that no longer waits become part of the lease.
func TestAnswerToNobody(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := NewStore(Config{URL: "redis://h:1"}, unregistered(), slog.New(slog.DiscardHandler), c.now)
	l := newSharedLimit(s, "key", 1000, time.Minute)
	w := &waiter{need: 5, all: true, done: make(chan struct{})}
	l.waiting = append(l.waiting, w)
	q, ok := l.collect(false, c.now())
	require.True(t, ok)
	require.Len(t, q.ops, 2)
	w.gone, l.waiting = true, nil
	l.deliver(&q, []result{{got: 0, level: 995}, {got: 5, level: 995}}, c.now())
	assert.Equal(t, 5, l.lease)
	assert.False(t, w.answered)
}

// TestGrace: after an outage, a gateway that knows of others applies its share for a moment longer, and reports what
// passed. One that is alone does not.
func TestGrace(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := redistest.Start(t)
	var members []*member
	for range 2 {
		m := idle(t, r.URL(), 1000, time.Minute, c)
		m.store.pace.grace = time.Hour
		m.run(t)
		await(t, m.store.connected.Load)
		members = append(members, m)
	}
	a, b := members[0], members[1]
	a.knows(t, 2)
	b.knows(t, 2)
	r.Kill()
	await(t, a.isAway)
	await(t, b.isAway)
	require.Equal(t, 500, a.drain(c))
	r.Start()
	client, key := r.Client(), bucketKey("demo", a.Limiter)
	await(t, func() bool { return client.Exists(t.Context(), key).Val() == 1 })
	assert.True(t, a.isAway())
	assert.Zero(t, a.Take(1, c.now()), "the rest of the limit is for the other gateway")
	assert.Equal(t, 500, b.drain(c))

	alone := idle(t, redistest.Start(t).URL(), 1000, time.Minute, c)
	alone.store.pace.grace = time.Hour
	alone.run(t)
	await(t, alone.store.connected.Load)
	alone.store.queue.want(alone.bucket, false)
	await(t, alone.isBack)
}

// TestWaitEndsWithTheConnection: requests that wait for the store decide as soon as the store is away.
func TestWaitEndsWithTheConnection(t *testing.T) {
	t.Parallel()
	c := newClock()
	way := newWire(t, redistest.Start(t).Addr())
	m := idle(t, way.url(), 1000, time.Minute, c)
	m.store.cfg.Wait, m.store.cfg.Timeout = time.Minute, time.Minute
	m.run(t)
	await(t, m.store.connected.Load)
	way.stall(true)
	got := make(chan bool, 1)
	go func() { got <- m.TakeAll(100, c.now()) }()
	await(t, func() bool {
		m.bucket.mu.Lock()
		defer m.bucket.mu.Unlock()
		return len(m.bucket.waiting) == 1
	})
	way.cut(true)
	select {
	case all := <-got:
		assert.True(t, all)
	case <-time.After(time.Minute):
		t.Error("the request still waits")
	}
	way.stall(false)
}
