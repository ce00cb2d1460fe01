package gateway

import (
	"slices"
	"testing"

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
