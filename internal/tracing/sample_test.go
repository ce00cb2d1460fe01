package tracing

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

const (
	sampledParent   = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	unsampledParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
)

// The client's flag decides if there is one, and the share otherwise.
func TestWants(t *testing.T) {
	t.Parallel()
	for share, want := range map[float64]bool{0: false, 1: true} {
		s := newSampler(Config{Sample: share, PerSecond: 100})
		assert.Equal(t, want, s.wants(""), "share %v", share)
		assert.True(t, s.wants(sampledParent), "share %v", share)
		assert.False(t, s.wants(unsampledParent), "share %v", share)
	}
}

// Clients that all set the flag get no more traces than the bound, and as many again a second later.
func TestWantsAtMostSoManyASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSampler(Config{Sample: 1, PerSecond: 10})
		count := func() (n int) {
			for range 1000 {
				if s.wants(sampledParent) {
					n++
				}
			}
			return n
		}
		assert.Equal(t, 10, count())
		assert.False(t, s.wants(""), "the share has the same bound")
		<-time.After(time.Second)
		assert.Equal(t, 10, count())
	})
}

func TestFlags(t *testing.T) {
	t.Parallel()
	const start = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"
	for flags, want := range map[string]bool{"00": false, "01": true, "02": false, "03": true, "fe": false, "ff": true, "0a": false, "0b": true} {
		assert.Equal(t, want, Sampled(start+flags), flags)
		assert.False(t, Sampled(NotSampled(start+flags)), flags)
		assert.Equal(t, want, contextOf(start+flags).IsSampled(), flags)
	}
	for _, bad := range []string{"", "00", start, start + "0", start + "zz", sampledParent + "0"} {
		assert.False(t, Sampled(bad), bad)
		assert.Equal(t, bad, NotSampled(bad))
		assert.False(t, contextOf(bad).IsValid(), bad)
	}
}

// A program that traces nothing does nothing, and allocates nothing.
func TestOff(t *testing.T) {
	var off *Tracer
	allocs := testing.AllocsPerRun(100, func() {
		span := off.Begin(sampledParent, "x", Server, time.Time{})
		child := span.Child("y", Client, time.Time{})
		child.Set()
		child.Link(sampledParent)
		child.Fail("z")
		child.End(time.Time{})
		span.End(time.Time{})
		if span.Traceparent() != "" || off.Wants(sampledParent) {
			t.Error("nil traces")
		}
	})
	assert.Zero(t, allocs)
}
