package realistic

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/event"
)

var midnight = time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)

// TestSameSeedSameBytes: an event depends on the configuration and its index, whoever asks in whatever order.
func TestSameSeedSameBytes(t *testing.T) {
	t.Parallel()
	cfg := Config{Seed: 7, Events: 20_000, Until: midnight}
	a, b := New(cfg), New(cfg)
	other := New(Config{Seed: 8, Events: 20_000, Until: midnight})
	for range 2000 {
		i := rand.Int64N(40_000)
		first := string(a.Append(nil, i))
		assert.Equal(t, first, string(b.Append([]byte("x"), i)[1:]))
		assert.NotEqual(t, first, string(other.Append(nil, i)))
	}
	assert.Equal(t, a.Run(), b.Run())
	assert.NotEqual(t, a.Run(), other.Run())
}

// TestEventsAreWhatTheyPromise: the gateway's decoder reads from each event the facts that the generator states.
func TestEventsAreWhatTheyPromise(t *testing.T) {
	t.Parallel()
	const events = 10_000
	w := New(Config{Seed: 1, Events: events, Until: midnight})
	var (
		d     event.Decoder
		ev    event.Event
		sizes []int
	)
	ids, kinds := map[uuid.UUID]bool{}, map[string]int{}
	issues, releases, users := map[uint64]bool{}, map[string]bool{}, map[string]int{}
	days := map[string]int{}
	for i := range int64(events) {
		raw := w.Append(nil, i)
		require.NoError(t, d.Decode(raw, &ev), "%s", raw)
		require.True(t, json.Valid(raw))
		f := w.Facts(i)
		sizes = append(sizes, len(raw))
		require.Equal(t, f.Message, ev.MessageText(), "%s", raw)
		require.Equal(t, f.Level, ev.Level.String(), "%s", raw)
		require.Equal(t, f.Environment, plain(ev.Environment))
		require.Equal(t, f.ID != uuid.Nil, ev.HasID)
		require.Equal(t, f.ID, w.ID(i))
		noID, skew := w.Class(i)
		require.Equal(t, f.ID == uuid.Nil, noID)
		require.Equal(t, f.Skew, skew)
		if ev.HasID {
			require.Equal(t, f.ID, ev.ID, "%s", raw)
			require.False(t, ids[f.ID], "an id comes twice")
			ids[f.ID] = true
		}
		at, ok := ev.Timestamp.Time()
		if !ok {
			at, ok = event.TimeOfV7(ev.ID)
			kinds["no timestamp"]++
		}
		require.True(t, ok, "%s", raw)
		require.Equal(t, f.Millis, at.Add(-skew).UnixMilli(), "%s", raw)
		require.False(t, at.Add(-skew).After(midnight), "nothing happens after the end")
		require.False(t, at.Add(-skew).Before(midnight.AddDate(0, 0, -30)))
		days[at.Add(-skew).Format(time.DateOnly)]++
		if skew != 0 {
			kinds["skewed"]++
		}
		if noID {
			kinds["no id"]++
		}
		if len(ev.Frames) > 0 {
			kinds["error"]++
			hash, _ := ev.FingerprintHash(nil)
			issues[hash] = true
		}
		releases[plain(ev.Release)] = true
		if u := plain(ev.UserID); u != "" {
			users[u]++
		}
	}
	slices.Sort(sizes)
	median := sizes[events/2]
	assert.Greater(t, sizes[0], 300)
	assert.Less(t, sizes[events-1], 4096)
	assert.InDelta(t, 1400, median, 150, "median size")
	assert.Greater(t, len(issues), 200, "kinds of errors")
	assert.InDelta(t, events*0.43, kinds["error"], events*0.05)
	assert.Greater(t, kinds["no id"], events/20)
	assert.Greater(t, kinds["skewed"], events/500)
	assert.Greater(t, kinds["no timestamp"], events/300)
	assert.Greater(t, len(releases), 30)
	assert.Len(t, days, 30)
	assert.Greater(t, days["2026-11-25"], days["2026-11-22"]*5/4, "a Wednesday has more than a Sunday")
	counts := make([]int, 0, len(users))
	for _, n := range users {
		counts = append(counts, n)
	}
	slices.Sort(counts)
	assert.Greater(t, len(users), 500)
	assert.Greater(t, counts[len(counts)-1], 20*counts[len(counts)/2], "few users make much of the traffic")
}

func plain(t event.Text) string { return string(t.AppendTo(nil)) }

// TestNoMemory: an event costs no allocation, however many there are.
func TestNoMemory(t *testing.T) {
	w := New(Config{Seed: 1, Events: 10_000_000, Until: midnight})
	buf := make([]byte, 0, 8192)
	i := int64(9_000_000)
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		buf = w.Append(buf[:0], i)
		i++
	}))
}

func BenchmarkAppend(b *testing.B) {
	w := New(Config{Seed: 1, Events: 10_000_000, Until: midnight})
	var buf []byte
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		buf = w.Append(buf[:0], i)
		b.SetBytes(int64(len(buf)))
	}
}
