package plan

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestText(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	require.NoError(t, compute(t, with(func(l *Load) { l.Replicas = 1 })).WriteText(&out))
	for _, want := range []string{
		"gateway\n", "  gateways                   3         100 k/s × 41 µs = 4.1 cores; ÷ 2 usable of 4 cores",
		"clickhouse\n", "2 shards × 1 replicas", "Figures: made up.", "warning: --replicas 1: ",
	} {
		require.Contains(t, out.String(), want)
	}
	require.NotContains(t, out.String(), "%!")
	for line := range strings.Lines(out.String()) {
		require.True(t, width(line) <= columns+1 || strings.HasPrefix(line, "warning: "), line)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	require.NoError(t, compute(t, usual()).WriteJSON(&out))
	var read struct {
		Load    map[string]any `json:"load"`
		Seconds Seconds        `json:"seconds"`
		Gateway struct {
			Instances int `json:"instances"`
		} `json:"gateway"`
		Why      []Line    `json:"why"`
		Warnings []Warning `json:"warnings"`
		Figures  Figures   `json:"figures"`
	}
	require.NoError(t, json.Unmarshal([]byte(out.String()), &read))
	require.Equal(t, 3, read.Gateway.Instances)
	require.Equal(t, easy(), read.Figures)
	require.NotNil(t, read.Warnings, "a list also when it is empty")
	require.Greater(t, len(read.Why), 20)
	require.InDelta(t, 864_000, read.Seconds.Retention, 0)
	require.InDelta(t, 100_000, read.Load["events_per_second"], 0)
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no room") }

func TestPrintFails(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, compute(t, usual()).WriteText(failing{}), "no room")
	require.ErrorContains(t, compute(t, usual()).WriteJSON(failing{}), "no room")
}

func TestTable(t *testing.T) {
	t.Parallel()
	text, err := Table(usual(), easy())
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(text), "\n")
	require.Equal(t, "| events of 200 B a second | 10 k | 100 k | 1 M | 10 M |", lines[0])
	for _, line := range lines {
		require.Equal(t, 6, strings.Count(line, "|"), line)
	}
	require.Contains(t, text, "| gateways, single events | 2 | 3 | 21 | 205 |")

	_, err = Table(with(func(l *Load) { l.EventBytes = 1 << 20 }), easy())
	require.ErrorContains(t, err, "--bulk 100 of --event-bytes 1048576")
}

func TestWords(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{
		0: "0", 1: "1", 999: "999", 999.4: "999", 999.6: "1 k", 1000: "1 k", 1e6 - 1: "1 M", 1234567: "1.23 M",
		0.001234: "0.00123", 1e18: "1 E", 1e21: "1000 E",
	} {
		require.Equal(t, want, short(v), v)
	}
	require.Equal(t, "12 B", bytes(12))
	require.Equal(t, "12 kB", bytes(12e3))
	for seconds, want := range map[float64]string{
		0: "0 s", 59: "59 s", 60: "1 min", 3599: "60 min", 3600: "1 h", 86_400: "1 d", 129_600: "1.5 d",
	} {
		require.Equal(t, want, span(seconds))
	}
	require.Equal(t, "999 µs", spent(999))
	require.Equal(t, "1 ms", spent(1000))
	require.Equal(t, "0.123", money(0.12345))
	require.Equal(t, "12346", money(12345.6))
}
