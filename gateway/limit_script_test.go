package gateway

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"sluice/gateway/ratelimit/redistest"
)

// TestScriptAgainstLimiter: the store's script and the limiter of one gateway are the same bucket. The same takes, refunds and
// atomic takes at the same times have the same results, to the event, for limits and windows of every size.
func TestScriptAgainstLimiter(t *testing.T) { redistest.Each(t, testScriptAgainstLimiter) }

func testScriptAgainstLimiter(t *testing.T, r *redistest.Server) {
	c := newClock()
	conn := scriptConn(t, r, c)
	type shape struct {
		events int
		window time.Duration
	}
	shapes := []shape{{1, time.Second}, {1, maxLimitWindow}, {maxLimitEvents, time.Second}, {maxLimitEvents, maxLimitWindow}, {99_999_989, maxLimitWindow - time.Microsecond}}
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		shapes = append(shapes, shape{1 + rnd.IntN(1000)*rnd.IntN(1000), time.Second + time.Duration(rnd.Int64N(int64(time.Hour)))})
	}
	for i, shape := range shapes {
		rnd := rand.New(rand.NewPCG(uint64(i), 3))
		c.t = c.now().Truncate(time.Microsecond)
		model := newLimiter(shape.events, shape.window.Truncate(time.Microsecond), false, c.now())
		key := "bucket:" + strconv.Itoa(i)
		for step := range 200 {
			switch rnd.IntN(4) {
			case 0:
				c.advance(time.Duration(rnd.Int64N(int64(shape.window))))
			case 1:
				c.advance(time.Duration(rnd.Int64N(int64(shape.window)/int64(shape.events) + 2)))
			case 2:
				c.advance(time.Microsecond)
			}
			now := c.now().Truncate(time.Microsecond)
			c.t = now
			op := storeOp{key: key, events: model.events, window: model.window, want: rnd.IntN(shape.events + 2), all: rnd.IntN(3) == 0}
			if rnd.IntN(5) == 0 {
				op.give = rnd.IntN(min(10_000, shape.events+2)) // a bulk at most
			}
			model.refill(now)
			model.refund(op.give)
			want := 0
			if op.all {
				if model.takeAll(op.want, now) {
					want = op.want
				}
			} else {
				want = model.take(op.want, now)
			}
			got, err := conn.exchange(t.Context(), []storeOp{op})
			if err != nil {
				t.Fatal(err)
			}
			if left := int(got[0].level); got[0].got != want || left != model.quota(now).left {
				t.Fatalf("%d in %s, step %d, %+v: got %d and %d left, the limiter %d and %d", shape.events, shape.window, step, op, got[0].got, left, want, model.quota(now).left)
			}
		}
	}
}

// TestChargesArePaidLater: a charge for what has passed may leave less than nothing, down to one limit; the next tokens pay it.
func TestChargesArePaidLater(t *testing.T) { redistest.Each(t, testChargesArePaidLater) }

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
	} {
		c.advance(step.after)
		got, err := conn.exchange(t.Context(), []storeOp{{key: "bucket", events: 100, window: time.Minute, charge: step.charge, want: step.want}})
		if err != nil || got[0].got != step.got || got[0].level != step.level {
			t.Fatalf("%+v: %+v, %v", step, got, err)
		}
	}
}

// TestFullBucketsExpire: the store keeps nothing of a bucket from the moment it is full, whatever is missing from it before.
func TestFullBucketsExpire(t *testing.T) { redistest.Each(t, testFullBucketsExpire) }

func testFullBucketsExpire(t *testing.T, r *redistest.Server) {
	a := join(t, r.URL(), 1000, 10*time.Second, nil)
	client, key := r.Client(), storeKey("demo", a.limiter)
	a.takeAll(1000, time.Now())
	if ttl := client.PTTL(t.Context(), key).Val(); ttl < 5*time.Second || ttl > 10*time.Second+2*time.Millisecond {
		t.Errorf("an empty bucket is kept for %s, it is full in 10 s", ttl)
	}
	a.refund(990)
	await(t, func() bool { return client.PTTL(t.Context(), key).Val() < 200*time.Millisecond })
	await(t, func() bool { return client.Exists(t.Context(), key).Val() == 0 })
}
