package observed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"

	"sluice/internal/testlog"
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

// However many partitions fail however often, an outage has one line for each cause, and one when all have recovered.
func TestAnOutageOfAllPartitionsIsLoggedOnce(t *testing.T) {
	t.Parallel()
	var said testlog.Counter
	log := NewLog(slog.New(&said))
	blocked := prometheus.NewGauge(prometheus.GaugeOpts{Name: "blocked"})
	var partitions []*Outage
	for range 12 {
		partitions = append(partitions, &Outage{blocked: blocked, log: log})
	}
	all := func(err error) {
		for _, p := range partitions {
			p.note(t.Context(), err)
		}
	}
	for n := range 1000 {
		all(fmt.Errorf("read tcp 127.0.0.1:%d: connection reset", n))
	}
	all(errors.New("EOF"))
	partitions[11].end()
	partitions[0].note(t.Context(), nil)
	const begins, ends = "kafka does not answer as it should, retrying", "kafka answers again"
	assert.Equal(t, 2, said.Of(begins))
	assert.Zero(t, said.Of(ends))
	all(nil)
	all(nil)
	assert.Equal(t, 2, said.Of(begins))
	assert.Equal(t, 1, said.Of(ends))
	all(errors.New("EOF"))
	assert.Equal(t, 3, said.Of(begins), "the next outage has its own lines")
}
