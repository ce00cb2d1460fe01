package retention

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTTL(t *testing.T) {
	for text, p := range map[string]Policy{
		"toStartOfDay(received_at) + toIntervalSecond(7862400)": {All: 90 * day},
		"toStartOfDay(received_at) + toIntervalSecond(172800)":  {All: Min},
		"toStartOfDay(received_at) + toIntervalSecond(transform(project_id, ['demo', 'shop-1_x'], [691200, 2678400], 7862400))": {
			All: 90 * day, Projects: map[string]time.Duration{"shop-1_x": 30 * day, "demo": 7 * day},
		},
		"toStartOfDay(received_at) + toIntervalSecond(transform(project_id, ['a'], [1576886400], 172801))": {
			All: day + time.Second, Projects: map[string]time.Duration{"a": Max},
		},
	} {
		require.Equal(t, text, p.TTL())
		for _, same := range []string{text, text + " DELETE"} {
			got, ok := Parse(same)
			require.True(t, ok, same)
			require.Equal(t, p, got)
		}
		got, ok := OfEngine("ReplacingMergeTree(_ver) ORDER BY a TTL " + text + " SETTINGS x = 1")
		require.True(t, ok)
		require.Equal(t, p, got)
	}
	for text, want := range map[string]time.Duration{ // of earlier versions, and by hand
		"toDateTime(received_at) + toIntervalSecond(7776000)":    90 * day,
		"toDateTime(received_at) + toIntervalDay(400) DELETE":    400 * day,
		"toDateTime(received_at) + toIntervalWeek(2)":            14 * day,
		"toDateTime(received_at) + toIntervalSecond(3155760000)": 36525 * day,
	} {
		got, ok := Parse(text)
		require.True(t, ok, text)
		require.Equal(t, Policy{All: want}, got)
	}
	for _, other := range []string{
		"", "toDateTime(received_at) + toIntervalMonth(3)", "toDateTime(timestamp) + toIntervalDay(3)", "toStartOfDay(received_at) + toIntervalDay(3)",
		"toDateTime(received_at) + toIntervalDay(3) WHERE project_id = 'a'", "toDateTime(received_at) + toIntervalSecond(99999999999)",
		"toDateTime(received_at) + toIntervalWeek(9999999999)", "toStartOfDay(received_at) + toIntervalSecond(86400)", "toStartOfDay(received_at) + toIntervalSecond(9999999999999)",
		"toStartOfDay(received_at) + toIntervalSecond(transform(project_id, ['a', 'b'], [691200], 7862400))",
		"toStartOfDay(received_at) + toIntervalSecond(transform(project_id, ['a'], [1], 7862400))",
		"toStartOfDay(received_at) + toIntervalSecond(7862400), toStartOfDay(received_at) + toIntervalSecond(1)",
	} {
		_, ok := Parse(other)
		require.False(t, ok, other)
		_, ok = OfEngine("MergeTree ORDER BY a TTL " + other)
		require.False(t, ok, other)
	}
	_, ok := OfEngine("MergeTree ORDER BY a SETTINGS x = 1")
	require.False(t, ok)
}

func TestShorter(t *testing.T) {
	all := func(d int, projects ...any) Policy {
		p := Policy{All: time.Duration(d) * day}
		for i := 0; i < len(projects); i += 2 {
			if p.Projects == nil {
				p.Projects = map[string]time.Duration{}
			}
			p.Projects[projects[i].(string)] = time.Duration(projects[i+1].(int)) * day
		}
		return p
	}
	for _, c := range []struct {
		p, than         Policy
		shorter, longer bool
	}{
		{all(90), all(90), false, false},
		{all(89), all(90), true, false},
		{all(90, "a", 7), all(90), true, false},
		{all(90, "a", 100), all(90), false, true},
		{all(90, "a", 90), all(90), false, false},
		{all(90), all(90, "a", 7), false, true},   // falls back to more
		{all(90), all(90, "a", 100), true, false}, // falls back to less
		{all(90, "a", 7, "b", 100), all(90), true, true},
		{all(100, "a", 7), all(90, "a", 7), false, true},
		{all(80, "a", 7), all(90, "a", 7), true, false},
		{all(80), all(90, "a", 70), true, true},
	} {
		require.Equal(t, c.shorter, c.p.Shorter(c.than), "%s than %s", c.p, c.than)
		require.Equal(t, c.longer, c.than.Shorter(c.p), "%s than %s", c.than, c.p)
		require.Equal(t, !c.shorter && !c.longer, c.p.Equal(c.than))
	}
	p := all(90, "shop", 30, "demo", 365)
	require.Equal(t, "90d, demo 365d, shop 30d", p.String())
	require.Equal(t, []time.Duration{365 * day, 30 * day, 90 * day, 30 * day}, []time.Duration{p.Longest(), p.Shortest(), p.Of("x"), p.Of("shop")})
	require.Equal(t, "36h0m0s", Days(36*time.Hour))
}

func TestProjects(t *testing.T) {
	for text, want := range map[string]map[string]time.Duration{
		"": nil, " ": nil, "none": {}, " none ": {},
		"shop=30d,demo=7d": {"shop": 30 * day, "demo": 7 * day}, " shop = 36h , ": {"shop": 36 * time.Hour},
		"a=1d": {"a": Min}, "a=18250d": {"a": Max}, "none=7d": {"none": 7 * day}, strings.Repeat("a", 64) + "=7d": {strings.Repeat("a", 64): 7 * day},
	} {
		got, err := Projects(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for text, why := range map[string]string{
		",": "write PROJECT=TIME", "shop": "entry 1 is not PROJECT=TIME", "a=7d,none": "entry 2", "=7d": "entry 1", "Shop=7d": "entry 1", "a'=7d": "entry 1",
		strings.Repeat("a", 65) + "=7d": "entry 1", "a=7d,a=8d": "a is there twice", "a=7": "has no unit", "a=": "a: takes a time", "a=23h": "a: at least 1d",
		"a=0": "a: at least 1d", "a=18251d": "at most 18250d", "a=25h0.5s": "whole seconds",
	} {
		_, err := Projects(text)
		require.ErrorContains(t, err, why, text)
	}
	many := func(n int) string {
		var out []string
		for i := range n {
			out = append(out, fmt.Sprintf("p%d=7d", i))
		}
		return strings.Join(out, ",")
	}
	for n, ok := range map[int]bool{MaxProjects - 1: true, MaxProjects: true, MaxProjects + 1: false} {
		got, err := Projects(many(n))
		require.Equal(t, ok, err == nil, n)
		require.Len(t, got, map[bool]int{true: n}[ok])
	}
}

func TestCheck(t *testing.T) {
	for d, ok := range map[time.Duration]bool{
		Min - time.Second: false, Min: true, Min + time.Second: true, Max - time.Second: true, Max: true, Max + time.Second: false,
		Min + time.Millisecond: false, 0: false, -Min: false,
	} {
		require.Equal(t, ok, Check(d) == nil, d)
	}
}
