package backoff_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"sluice/internal/backoff"
)

// Each wait lies between half of its bound and all of it, and the bound doubles up to the longest.
func TestWaitsGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b backoff.Backoff
		for bound := 100 * time.Millisecond; bound < 4*backoff.Max; bound *= 2 {
			began := time.Now()
			assert.True(t, b.Wait(t.Context()))
			took, most := time.Since(began), min(bound, backoff.Max)
			assert.GreaterOrEqual(t, took, most/2)
			assert.Less(t, took, most)
		}
		began := time.Now()
		assert.True(t, b.WaitAtMost(t.Context(), time.Second))
		assert.Less(t, time.Since(began), time.Second)
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		began := time.Now()
		assert.False(t, new(backoff.Backoff).Wait(ctx))
		assert.Equal(t, time.Millisecond, time.Since(began))
		assert.False(t, backoff.Sleep(ctx, 0))
	})
}
