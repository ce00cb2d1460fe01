package gateway

import (
	"errors"
	"slices"
	"testing"
	"time"

	"sluice/gateway/broker"
	"sluice/gateway/spool"

	"github.com/stretchr/testify/require"
)

// Every series exists from the start: increase() misses the first value of a series that appears with it.
func TestPublishSeriesBeginAt0(t *testing.T) {
	g := serve(t)
	families, err := g.registry.Gather()
	require.NoError(t, err)
	for name, want := range map[string][]string{
		"sluice_gateway_publish_errors_total": broker.Reasons, "sluice_gateway_spool_errors_total": spool.Reasons,
	} {
		got := []string{}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				if f.GetName() == name && m.GetCounter().GetValue() == 0 {
					got = append(got, m.GetLabel()[0].GetValue())
				}
			}
		}
		slices.Sort(got)
		if sorted := slices.Sorted(slices.Values(want)); !slices.Equal(got, sorted) {
			t.Errorf("%s: %v, want %v", name, got, sorted)
		}
	}
}

// A request counts in the metric behind the objective for requests if it has a valid event: as kept, or as failed if
// the gateway did not keep one. Refusals that are the client's fault, and requests without events, do not count.
func TestValidRequests(t *testing.T) {
	g := serve(t, func(cfg *Config, _ *Deps) {
		cfg.MaxEventBytes, cfg.RequestTimeout = 1000, time.Second
	})
	results := func() (kept, failed int) {
		return g.observations("sluice_gateway_ingest_duration_seconds", "kept"),
			g.observations("sluice_gateway_ingest_duration_seconds", "failed")
	}
	expect := func(what string, wantKept, wantFailed int) {
		t.Helper()
		waitUntil(t, func() bool { kept, failed := results(); return kept+failed >= wantKept+wantFailed })
		kept, failed := results()
		require.Equal(t, [2]int{wantKept, wantFailed}, [2]int{kept, failed}, what)
	}

	require.Equal(t, 202, g.single(`{"message":"x"}`).status)
	expect("kept", 1, 0)
	require.Equal(t, 202, g.bulkOf(`[{"message":"x"},{"message":1}]`).status)
	expect("kept in part, the rest is invalid", 2, 0)

	require.Equal(t, 400, g.single(`{`).status)
	require.Equal(t, 400, g.bulkOf(`[{"message":1}]`).status)
	require.Equal(t, 413, g.single(`{"message":"`+string(make([]byte, 2000))+`"}`).status)
	require.Equal(t, 401, g.do(request{path: pathEvents, body: `{"message":"x"}`, noKey: true}).status)
	require.Equal(t, 404, g.do(request{path: "/nothing", body: `{"message":"x"}`}).status)
	require.Equal(t, 200, g.do(request{method: "GET", path: pathHealth}).status)
	require.Equal(t, 200, g.do(request{path: "/v1/logs", body: `{}`}).status)
	expect("clients' faults, and requests without events", 2, 0)

	g.producer.Down(errors.New("away"))
	require.Equal(t, 503, g.single(`{"message":"x"}`).status)
	expect("unavailable", 2, 1)

	g.server.panicked("a decoder's mistake")
	expect("panic", 2, 2)
}

// The bounds of the histograms have the times of the objectives.
func TestValidRequestsHaveABoundOf1s(t *testing.T) {
	g := serve(t)
	families, err := g.registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() != "sluice_gateway_ingest_duration_seconds" {
			continue
		}
		require.Len(t, f.GetMetric(), 2)
		for _, m := range f.GetMetric() {
			bounds := []float64{}
			for _, b := range m.GetHistogram().GetBucket() {
				bounds = append(bounds, b.GetUpperBound())
			}
			require.Contains(t, bounds, 1.0)
		}
		return
	}
	t.Fatal("the metric is not there")
}

// observations returns how many values a histogram has in the series with a label of this value.
func (s *served) observations(name, label string) (n int) {
	s.t.Helper()
	families, err := s.registry.Gather()
	require.NoError(s.t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && m.GetLabel()[0].GetValue() == label {
				n += int(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return n
}
