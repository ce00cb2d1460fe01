package observed

import (
	"context"
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
)

// An outage counts once however many requests fail, not at all once its user has gone, and a request that was given up
// says nothing about Kafka.
func TestOutageCountsOnce(t *testing.T) {
	t.Parallel()
	blocked := prometheus.NewGauge(prometheus.GaugeOpts{Name: "blocked"})
	failed := errors.New("broker not available")
	o := NewOutage(blocked)
	for range 3 {
		o.note(t.Context(), failed)
	}
	assert.EqualValues(t, 1, testutil.ToFloat64(blocked))
	o.note(t.Context(), nil)
	assert.EqualValues(t, 0, testutil.ToFloat64(blocked))

	given, giveUp := context.WithCancel(t.Context())
	giveUp()
	o.note(given, failed)
	assert.EqualValues(t, 0, testutil.ToFloat64(blocked))

	o.Set(true)
	o.end()
	o.Set(true) // by a timer that fires late
	assert.EqualValues(t, 0, testutil.ToFloat64(blocked))
}
