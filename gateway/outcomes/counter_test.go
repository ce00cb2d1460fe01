package outcomes

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/outcome"
)

// table is sluice.outcomes as ClickHouse merges it: of rows with the same key the largest number.
type table map[outcome.Row]int64

// take inserts the rows of a record.
func (tb table) take(t *testing.T, value []byte) {
	t.Helper()
	rows, err := outcome.Decode(value)
	require.NoError(t, err)
	for _, r := range rows {
		n := r.Events
		r.Events = 0
		tb[r] = max(tb[r], n)
	}
}

// sums adds up by project and reason.
func (tb table) sums() map[string]int64 {
	out := map[string]int64{}
	for r, n := range tb {
		out[r.Project+"/"+r.Reason] += n
	}
	return out
}

// bench is a counter over a table.
type bench struct {
	t     *testing.T
	now   time.Time
	table table
	late  [][]byte     // records that come again
	send  func() error // how the next publication ends; taken unless it is errNotTaken
}

var (
	errNotTaken = errors.New("not taken")
	errLost     = errors.New("answer lost")
)

func newBench(t *testing.T) *bench {
	return &bench{t: t, now: time.Date(2026, 11, 23, 12, 0, 30, 0, time.UTC), table: table{}, send: func() error { return nil }}
}

func (b *bench) counter(most int) *Counter {
	return New(Config{
		Now: func() time.Time { return b.now }, Log: slog.New(slog.DiscardHandler), MaxTotals: most,
		Send: func(values [][]byte, _ time.Time) error {
			err := b.send()
			if !errors.Is(err, errNotTaken) {
				for _, v := range values {
					b.table.take(b.t, v)
					b.late = append(b.late, v)
				}
			}
			return err
		},
	})
}

func rejected(project, reason string) Key {
	return Key{Project: project, Protocol: outcome.Native, Outcome: outcome.Rejected, Reason: reason}
}

// TestCountsAreExact: whatever becomes of publications, and however often the process starts again after a drain, the
// table ends with what was counted. Records come twice and out of order, and the clock goes back.
func TestCountsAreExact(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		b, random := newBench(t), rand.New(rand.NewPCG(seed, 1))
		b.send = func() error {
			return []error{nil, nil, errLost, errNotTaken}[random.IntN(4)]
		}
		c, want := b.counter(0), map[string]int64{}
		for range 200 {
			switch random.IntN(12) {
			case 0:
				b.now = b.now.Add(time.Duration(random.IntN(90)) * time.Second)
			case 1:
				if random.IntN(10) == 0 {
					b.now = b.now.Add(-time.Duration(random.IntN(300)) * time.Second)
				}
			case 2, 3:
				c.Flush(time.Time{})
			case 4:
				if len(b.late) > 0 {
					b.table.take(t, b.late[random.IntN(len(b.late))])
				}
			case 5:
				if random.IntN(8) == 0 { // it drains, and starts again
					for c.Pending() > 0 {
						c.Flush(time.Time{})
					}
					c = b.counter(0)
				}
			default:
				project, reason := fmt.Sprint("p", random.IntN(3)), []string{"empty", "malformed"}[random.IntN(2)]
				n := 1 + random.IntN(5)
				c.Add(rejected(project, reason), n)
				want[project+"/"+reason] += int64(n)
			}
		}
		b.send = func() error { return nil }
		c.Flush(time.Time{})
		require.Zero(t, c.Pending())
		require.Equal(t, want, b.table.sums(), "seed %d", seed)
	}
}

// TestKillLosesTheLastSeconds: a kill loses what was not published, and nothing else.
func TestKillLosesTheLastSeconds(t *testing.T) {
	b := newBench(t)
	c := b.counter(0)
	c.Add(rejected("p", "empty"), 3)
	c.Flush(time.Time{})
	c.Add(rejected("p", "empty"), 2)
	c = b.counter(0) // the first one was killed
	c.Add(rejected("p", "empty"), 10)
	c.Flush(time.Time{})
	assert.Equal(t, map[string]int64{"p/empty": 13}, b.table.sums())
}

// TestTotalsLeaveMemory: a total leaves once its minute is over and it is published, and not before.
func TestTotalsLeaveMemory(t *testing.T) {
	b := newBench(t)
	c := b.counter(0)
	c.Add(rejected("p", "empty"), 1)
	c.Flush(time.Time{})
	assert.Len(t, c.totals, 1, "the minute is not over")
	b.send = func() error { return errLost }
	c.Add(rejected("p", "empty"), 1)
	b.now = b.now.Add(time.Minute)
	c.Flush(time.Time{})
	assert.Len(t, c.totals, 1, "nobody has acknowledged it")
	b.send = func() error { return nil }
	c.Flush(time.Time{})
	assert.Empty(t, c.totals)
	c.Add(rejected("p", "empty"), 0)
	c.Add(rejected("p", "empty"), -5)
	assert.Empty(t, c.totals, "nothing is nothing")
	assert.Equal(t, map[string]int64{"p/empty": 2}, b.table.sums())
}

// TestMemoryIsBounded: at the limit of totals, and one below and above it. No event is left out; the project is.
func TestMemoryIsBounded(t *testing.T) {
	for _, projects := range []int{9, 10, 11, 5000} {
		b := newBench(t)
		b.send = func() error { return errNotTaken } // Kafka is away
		c := b.counter(10)
		for i := range projects {
			c.Add(rejected(fmt.Sprint("p", i), "empty"), 2)
			b.now = b.now.Add(10 * time.Second)
			c.Flush(time.Time{})
		}
		assert.Equal(t, projects > 10, c.Folded())
		assert.LessOrEqual(t, len(c.totals), 11, "%d projects", projects)
		assert.EqualValues(t, 2*projects, c.Pending())
		b.send = func() error { return nil }
		for range 3 {
			b.now = b.now.Add(time.Minute)
			c.Flush(time.Time{})
		}
		assert.Empty(t, c.totals)
		assert.False(t, c.Folded())
		sums := b.table.sums()
		assert.EqualValues(t, 2*max(0, projects-10), sums["/empty"])
		assert.Len(t, sums, min(projects, 11))
		// There is room again.
		c.Add(rejected("new", "empty"), 1)
		c.Flush(time.Time{})
		assert.EqualValues(t, 1, b.table.sums()["new/empty"])
	}
}

// TestManyTotalsAreManyRecords: a record has at most outcome.MaxRows rows.
func TestManyTotalsAreManyRecords(t *testing.T) {
	for _, n := range []int{outcome.MaxRows - 1, outcome.MaxRows, outcome.MaxRows + 1, 3*outcome.MaxRows + 1} {
		b := newBench(t)
		c := b.counter(0)
		for i := range n {
			c.Add(rejected(fmt.Sprint("p", i), "empty"), 1)
		}
		c.Flush(time.Time{})
		assert.Len(t, b.late, (n+outcome.MaxRows-1)/outcome.MaxRows)
		assert.Len(t, b.table, n)
	}
}

// BenchmarkAdd measures what a refused request pays.
func BenchmarkAdd(b *testing.B) {
	c := New(Config{Now: time.Now, Send: func([][]byte, time.Time) error { return nil }})
	keys := make([]Key, 1000)
	for i := range keys {
		keys[i] = rejected(fmt.Sprint("project-", i), "invalid_event")
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.Add(keys[i%len(keys)], 1)
		i++
	}
}
