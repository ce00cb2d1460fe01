package plan

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/settings"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for flag, tc := range map[string]struct {
		set         func(*Load, float64)
		good, wrong []float64
	}{
		"events-per-second": {func(l *Load, v float64) { l.EventsPerSecond = v },
			[]float64{1e-9, 1, 1e9 - 1, 1e9}, []float64{0, -1, 1e9 + 1, 1e12, math.NaN(), math.Inf(1), math.Inf(-1)}},
		"peak-factor": {func(l *Load, v float64) { l.PeakFactor = v },
			[]float64{1, 999, 1000}, []float64{0, 0.99, -1, 1001, math.NaN(), math.Inf(1)}},
		"event-bytes": {func(l *Load, v float64) { l.EventBytes = v },
			[]float64{1, 2, 1<<20 - 1, 1 << 20}, []float64{0, -1, 1<<20 + 1, math.NaN()}},
		"bulk": {func(l *Load, v float64) { l.Bulk = int(v) },
			[]float64{1, 2, 9999, 10_000}, []float64{0, -1, 10_001}},
		"replication": {func(l *Load, v float64) { l.Replication = int(v) }, []float64{1, 99, 100}, []float64{0, 101}},
		"replicas":    {func(l *Load, v float64) { l.Replicas = int(v) }, []float64{1, 99, 100}, []float64{0, 101}},
		"headroom":    {func(l *Load, v float64) { l.Headroom = v }, []float64{0, 0.9}, []float64{-0.1, 0.91, 1, 2}},
		"cores":       {func(l *Load, v float64) { l.Cores = v }, []float64{0.1, 1024}, []float64{0, 0.09, 1025}},
		"server-cores": {func(l *Load, v float64) { l.ServerCores = v },
			[]float64{0.1, 1024}, []float64{0, 0.09, 1025}},
		"server-disk-bytes": {func(l *Load, v float64) { l.ServerDisk = v },
			[]float64{1e9, 1e18}, []float64{0, 1e9 - 1, 1.1e18}},
		"network-bytes": {func(l *Load, v float64) { l.NetworkBytes = v },
			[]float64{1e6, 1e15}, []float64{0, 1e6 - 1, 1.1e15}},
		"partitions": {func(l *Load, v float64) { l.Partitions = int(v) }, []float64{0, 1, 10_000}, []float64{-1, 10_001}},
		"gateways":   {func(l *Load, v float64) { l.Gateways = int(v) }, []float64{0, 1, 10_000}, []float64{-1, 10_001}},
		"consumers":  {func(l *Load, v float64) { l.Consumers = int(v) }, []float64{0, 1, 10_000}, []float64{-1, 10_001}},
		"shards":     {func(l *Load, v float64) { l.Shards = int(v) }, []float64{0, 1, 10_000}, []float64{-1, 10_001}},
		"price-core-hour": {func(l *Load, v float64) { l.CoreHour = v },
			[]float64{0, 1e6}, []float64{-0.01, 1e6 + 1, math.NaN()}},
		"retention": {func(l *Load, v float64) { l.Retention = settings.Duration(v) },
			[]float64{float64(day), float64(18250 * day)}, []float64{0, -1, float64(day) - 1e6, float64(18251 * day)}},
		"topic-retention": {func(l *Load, v float64) { l.TopicRetention = settings.Duration(v) },
			[]float64{float64(time.Hour), float64(18250 * day)}, []float64{0, float64(time.Hour) - 1e6, float64(18251 * day)}},
		"outage": {func(l *Load, v float64) { l.Outage = settings.Duration(v) },
			[]float64{0, 1, float64(18250 * day)}, []float64{-1, float64(18251 * day)}},
	} {
		for _, v := range tc.good {
			l := usual()
			tc.set(&l, v)
			require.NoError(t, l.Check(), "%s %g", flag, v)
			requireFinite(t, compute(t, l))
		}
		for _, v := range tc.wrong {
			l := usual()
			tc.set(&l, v)
			_, err := Compute(l, easy())
			require.ErrorContains(t, err, "--"+flag+":", "%g", v)
			require.NotContains(t, err.Error(), "\n", "one fault")
		}
	}
}

// A bulk of events must fit in a request.
func TestBulkBytes(t *testing.T) {
	t.Parallel()
	set := func(bulk int, size float64) Load { return with(func(l *Load) { l.Bulk, l.EventBytes = bulk, size }) }
	require.NoError(t, set(5, 1<<20-1).Check())
	require.NoError(t, set(5, 1<<20).Check())
	require.ErrorContains(t, set(6, 1<<20).Check(), "--bulk 6 of --event-bytes 1048576 exceeds the 5242880 bytes")
	require.ErrorContains(t, set(5241, 1000.5).Check(), "--bulk")
}

func TestFaultsAreJoined(t *testing.T) {
	t.Parallel()
	err := Load{}.Check()
	require.Greater(t, strings.Count(err.Error(), "\n"), 5)
}

// The extremes of all limits together give numbers, not infinities.
func TestExtremes(t *testing.T) {
	t.Parallel()
	years := settings.Duration(mostRetention)
	for _, rate := range []float64{1e-9, 1, mostEvents} {
		for _, size := range []float64{1, 200, mostEventBytes} {
			for _, small := range []bool{false, true} {
				l := with(func(l *Load) {
					l.EventsPerSecond, l.EventBytes, l.PeakFactor = rate, size, 1000
					l.Retention, l.TopicRetention, l.Outage = years, years, years
					l.Replication, l.Replicas = mostCopies, mostCopies
					l.Prices = Prices{mostPrice, mostPrice, mostPrice, mostPrice}
					if small {
						l.Machines = Machines{Headroom: 0.9, Cores: 0.1, ServerCores: 0.1, ServerDisk: 1e9, NetworkBytes: 1e6}
					}
				})
				p := compute(t, l)
				requireFinite(t, p)
				_, err := json.Marshal(p)
				require.NoError(t, err)
				for _, line := range p.Why {
					require.NotRegexp(t, `NaN|Inf|%!|e\+`, line.Value+" "+line.Why)
				}
			}
		}
	}
}

// requireFinite checks every number of a plan.
func requireFinite(t *testing.T, p Plan) {
	t.Helper()
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				walk(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		case reflect.Float64:
			ok := !math.IsNaN(v.Float()) && !math.IsInf(v.Float(), 0)
			require.True(t, ok, "%s = %g", path, v.Float())
			require.True(t, v.Float() >= 0 || path == ".Consumer.CatchUp", "%s = %g", path, v.Float())
		case reflect.Int:
			require.GreaterOrEqual(t, v.Int(), int64(0), path)
			require.Less(t, v.Int(), int64(1)<<62, path)
		}
	}
	walk("", reflect.ValueOf(p))
}
