package ratelimit

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/ratelimit/redistest"
)

// TestScriptAgainstLimiter: the store's script and the limiter of one gateway are the same bucket. The same takes,
// refunds and atomic takes at the same times have the same results, to the event, for limits and windows of every
// size.
func TestScriptAgainstLimiter(t *testing.T) {
	t.Parallel()
	redistest.Each(t, testScriptAgainstLimiter)
}

func testScriptAgainstLimiter(t *testing.T, r *redistest.Server) {
	c := newClock()
	conn := scriptConn(t, r, c)
	type limit struct {
		events int
		window time.Duration
	}
	limits := []limit{
		{1, time.Second}, {1, MaxWindow}, {MaxEvents, time.Second}, {MaxEvents, MaxWindow},
		{99_999_989, MaxWindow - time.Microsecond},
	}
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		window := time.Second + time.Duration(rnd.Int64N(int64(time.Hour)))
		limits = append(limits, limit{1 + rnd.IntN(1000)*rnd.IntN(1000), window})
	}
	for i, limit := range limits {
		rnd := rand.New(rand.NewPCG(uint64(i), 3))
		c.t = c.now().Truncate(time.Microsecond)
		model := New(Limit{Events: limit.events, Window: limit.window.Truncate(time.Microsecond)}, c.now())
		key := "bucket:" + strconv.Itoa(i)
		for step := range 200 {
			switch rnd.IntN(4) {
			case 0:
				c.advance(time.Duration(rnd.Int64N(int64(limit.window))))
			case 1:
				c.advance(time.Duration(rnd.Int64N(int64(limit.window)/int64(limit.events) + 2)))
			case 2:
				c.advance(time.Microsecond)
			}
			now := c.now().Truncate(time.Microsecond)
			c.t = now
			op := operation{
				key: key, events: model.events, window: model.window,
				want: rnd.IntN(limit.events + 2), all: rnd.IntN(3) == 0,
			}
			if rnd.IntN(5) == 0 {
				op.give = rnd.IntN(min(10_000, limit.events+2)) // a bulk at most
			}
			model.refill(now)
			model.Refund(op.give)
			want := 0
			if op.all {
				if model.TakeAll(op.want, now) {
					want = op.want
				}
			} else {
				want = model.Take(op.want, now)
			}
			got, err := conn.exchange(t.Context(), []operation{op})
			require.NoError(t, err)
			if left := model.Quota(now).Remaining; got[0].got != want || int(got[0].level) != left {
				t.Fatalf("%+v, step %d, %+v: the script gave %d and has %d left, the limiter %d and %d",
					limit, step, op, got[0].got, int(got[0].level), want, left)
			}
		}
	}
}

// TestChargesArePaidLater: a charge for what has passed may make the bucket negative, down to one limit. The next
// tokens pay it.
func TestChargesArePaidLater(t *testing.T) {
	t.Parallel()
	redistest.Each(t, testChargesArePaidLater)
}

func testChargesArePaidLater(t *testing.T, r *redistest.Server) {
	c := newClock()
	conn := scriptConn(t, r, c)
	for _, step := range []struct {
		after        time.Duration
		charge, want int
		got          int
		level        float64
	}{
		{0, 150, 1, 0, -50},
		{30 * time.Second, 0, 1, 0, 0},
		{600 * time.Millisecond, 0, 5, 1, 0},
		{0, 100, 0, 0, -100},
		{0, 1, 0, 0, -100},
		{60 * time.Second, 0, 1, 0, 0},
		{0, 100, 0, 0, -100},
		{119_400 * time.Millisecond, 0, 0, 0, 99},
		{time.Minute, 0, 101, 100, 0},
		{-time.Hour, 0, 1, 0, 0}, // a clock that is set back pays nothing
		{0, 1, 0, 0, -1},
		{600 * time.Millisecond, 0, 1, 0, 0},
		{600 * time.Millisecond, 0, 2, 1, 0},
	} {
		c.advance(step.after)
		op := operation{key: "bucket", events: 100, window: time.Minute, charge: step.charge, want: step.want}
		got, err := conn.exchange(t.Context(), []operation{op})
		require.NoError(t, err)
		require.Equal(t, result{step.got, step.level}, got[0], "%+v", step)
	}
}

// TestFullBucketsExpire: the store keeps a bucket until it is full and no longer.
func TestFullBucketsExpire(t *testing.T) {
	t.Parallel()
	redistest.Each(t, testFullBucketsExpire)
}

func testFullBucketsExpire(t *testing.T, r *redistest.Server) {
	a := join(t, r.URL(), 1000, 10*time.Second, nil)
	client, key := r.Client(), bucketKey("demo", a.Limiter)
	start := time.Now()
	a.TakeAll(1000, start)
	ttl := client.PTTL(t.Context(), key).Val()
	assert.GreaterOrEqual(t, ttl+time.Since(start), 5*time.Second, "an empty bucket is full in 10 s")
	assert.LessOrEqual(t, ttl, 10*time.Second+2*time.Millisecond, "an empty bucket is full in 10 s")
	a.Refund(990)
	await(t, func() bool { return client.PTTL(t.Context(), key).Val() < 200*time.Millisecond })
	await(t, func() bool { return client.Exists(t.Context(), key).Val() == 0 })
}
