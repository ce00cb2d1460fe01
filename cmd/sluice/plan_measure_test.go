package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/embedded"
	"sluice/internal/plan"
	"sluice/internal/plan/measure"
)

// A measurement, far shorter than the real one, gives figures that a plan can be made of, and leaves nothing behind.
func TestPlanMeasure(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var said strings.Builder
	figures, err := measure.Run(t.Context(), measure.Config{TempDir: dir, Progress: &said, Part: 0.02})
	skipWithoutMeasurement(t, err)
	require.NoError(t, err, said.String())
	require.NoError(t, figures.Check())
	require.Len(t, figures.Sizes, 2)
	require.InDelta(t, 200, figures.Sizes[0].EventBytes, 10)
	require.InDelta(t, 1400, figures.Sizes[1].EventBytes, 10)
	for _, s := range figures.Sizes {
		require.Less(t, s.Bytes.Gzip, s.EventBytes/2)
		require.Less(t, s.Kafka, s.EventBytes)
		require.Less(t, s.Disk, s.EventBytes)
		require.Greater(t, s.Insert, s.EventBytes)
		require.InDelta(t, 170, s.Bytes.Request, 60, "the head of a request")
	}
	for _, stage := range []string{"idle", "500 a second", "200 bytes: bulks with gzip", "1400 bytes: merging the rows"} {
		require.Contains(t, said.String(), stage)
	}
	p, err := plan.Compute(plan.Load{
		Traffic: plan.Traffic{EventsPerSecond: 1000, PeakFactor: 2, EventBytes: 500, Bulk: 1}, Keeping: planKeeping,
		Machines: plan.Machines{Headroom: 0.5, Cores: 4, ServerCores: 4, ServerDisk: 1e12, NetworkBytes: 1e9},
	}, figures)
	require.NoError(t, err)
	require.Less(t, p.Gateway.BusyCores, 100.0, "an event takes less than 50 ms")
	requireEmpty(t, dir)
}

var planKeeping = plan.Keeping{
	Retention: 24 * 3600e9, TopicRetention: 24 * 3600e9, Replication: 1, Replicas: 1,
}

// Ctrl-C ends a measurement at once.
func TestPlanMeasureStops(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	_, err := measure.Run(ctx, measure.Config{TempDir: dir, Progress: stopAt{"idle", stop}})
	skipWithoutMeasurement(t, err)
	require.ErrorIs(t, err, context.Canceled)
	requireEmpty(t, dir)
}

// stopAt calls stop when a line has the word.
type stopAt struct {
	word string
	stop func()
}

func (s stopAt) Write(line []byte) (int, error) {
	if strings.Contains(string(line), s.word) {
		s.stop()
	}
	return len(line), nil
}

func requireEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left, "data of the measurement")
}

func skipWithoutMeasurement(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, embedded.ErrNoEngine) || errors.Is(err, measure.ErrNoUsage) {
		t.Skip(err)
	}
}
