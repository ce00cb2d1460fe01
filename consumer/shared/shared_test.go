package shared

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"sluice/consumer/rows"
	"sluice/internal/event"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

// memoryTable notes the offsets of each insert. An offset stands for its partition.
type memoryTable struct {
	mu      sync.Mutex
	inserts [][]int64
	answer  func(offsets []int64) error
	hold    chan struct{}
}

func (m *memoryTable) Insert(_ context.Context, token string, blocks ...*rows.Block) error {
	m.mu.Lock()
	var offsets []int64
	for _, b := range blocks {
		offsets = append(offsets, b.Offsets()...)
	}
	m.inserts = append(m.inserts, offsets)
	hold, answer := m.hold, m.answer
	m.mu.Unlock()
	if token != "T" {
		return errors.New(token)
	}
	if hold != nil {
		<-hold
	}
	if answer != nil {
		return answer(offsets)
	}
	return nil
}

func (m *memoryTable) seen() [][]int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.inserts
}

func blockOf(t *testing.T, partition int) *rows.Block {
	t.Helper()
	b := rows.New()
	var decoder event.Decoder
	var ev event.Event
	value := []byte(`{"message":"m","tags":{"a":"b"}}`)
	require.NoError(t, decoder.Decode(value, &ev))
	id := uuid.UUID{6: 0x40, 8: 0x80}
	binary.BigEndian.PutUint64(id[8:], uint64(partition)|1<<63)
	envelope := event.Envelope{Project: "demo", ID: id, ReceivedAt: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	b.Append(&ev, &rows.Row{
		Envelope: envelope, IDTime: event.IDTime(id, ev.Timestamp), Payload: value, Topic: "events", Partition: partition,
		Offset: int64(partition), MaxAge: time.Hour,
	})
	return b
}

// bench is some partitions in a unit.
type bench struct {
	t      *testing.T
	table  *memoryTable
	blocks *Blocks
	unit   *Unit
	seats  []*Seat
	large  []int64 // bytes of inserts that were too large
}

func newBench(t *testing.T, partitions int) *bench {
	t.Helper()
	b := &bench{t: t, table: &memoryTable{}}
	b.blocks = NewBlocks(b.table, partitions, func(bytes int64) { b.large = append(b.large, bytes) })
	b.unit = b.blocks.NewUnit(Limits{Rows: 100, Bytes: func() int { return 1000 }})
	for p := range partitions {
		b.seats = append(b.seats, b.unit.Seat(p))
	}
	return b
}

// begun says that nothing was recorded.
func (b *bench) begun() *bench {
	for p := range b.seats {
		b.blocks.Recorded(p, nil)
	}
	return b
}

func (b *bench) insert(id uint64, partition int, edit ...func(*Send)) chan Answer {
	s := Send{Block: id, Partition: partition, Rows: blockOf(b.t, partition), Token: "T", Until: time.Now().Add(time.Hour)}
	for _, e := range edit {
		e(&s)
	}
	out := make(chan Answer, 1)
	go func() { out <- b.blocks.Insert(b.t.Context(), s) }()
	return out
}

func (b *bench) join(partition, rows, bytes int) chan uint64 {
	out := make(chan uint64, 1)
	go func() { out <- b.seats[partition].Join(b.t.Context(), Batch{Rows: rows, Bytes: bytes}, func() {}) }()
	return out
}

// Batches that are due at the same time share a block; one that is due later does not hold them up, nor does one that
// is alone wait.
func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 4).begun()
		now := time.Now()
		for _, s := range b.seats[:3] {
			s.Due(now)
		}
		b.seats[3].Due(now.Add(time.Second))
		began := time.Now()
		one, two := b.join(0, 1, 1), b.join(1, 1, 1)
		synctest.Wait()
		assert.Empty(t, one, "partition 2 is due too")
		three := b.join(2, 1, 1)
		id := <-one
		assert.NotZero(t, id)
		assert.Equal(t, id, <-two)
		assert.Equal(t, id, <-three)
		assert.Zero(t, <-b.join(3, 1, 1), "alone")
		assert.Zero(t, time.Since(began))
		var none *Seat
		none.Due(now)
		assert.Zero(t, none.Join(t.Context(), Batch{}, nil))
	})
}

// A batch that is due and does not come is waited for briefly, and not at all once it is said not to come.
func TestJoinWaitsBriefly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 3).begun()
		began := time.Now()
		for _, s := range b.seats {
			s.Due(began)
		}
		one, two := b.join(0, 1, 1), b.join(1, 1, 1)
		id := <-one
		assert.Equal(t, linger, time.Since(began))
		assert.Equal(t, id, <-two)
		assert.NotZero(t, id)
		b.seats[0].Due(time.Now())
		began = time.Now()
		one, two = b.join(0, 1, 1), b.join(1, 1, 1)
		synctest.Wait()
		b.seats[2].Due(time.Time{})
		assert.NotZero(t, <-one)
		assert.NotZero(t, <-two)
		assert.Zero(t, time.Since(began))
	})
}

// A block has at most as many rows and bytes as one insert may have.
func TestJoinLimits(t *testing.T) {
	for name, c := range map[string]struct {
		rows, bytes int
		together    bool
	}{"at the limits": {50, 500, true}, "one row more": {51, 500, false}, "one byte more": {50, 501, false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 2).begun()
				b.seats[0].Due(time.Now())
				b.seats[1].Due(time.Now())
				one := b.join(0, 50, 500)
				synctest.Wait()
				two := <-b.join(1, c.rows, c.bytes)
				assert.Equal(t, c.together, two != 0)
				assert.Equal(t, two, <-one)
			})
		})
	}
}

// patient is join for a batch that may wait. What it waited for is told a beat every second.
func (b *bench) patient(partition, rows, bytes int, until time.Time, beats *atomic.Int64) chan uint64 {
	out := make(chan uint64, 1)
	go func() {
		out <- b.seats[partition].Join(b.t.Context(), Batch{rows, bytes, until}, func() { beats.Add(1) })
	}()
	synctest.Wait()
	return out
}

// Batches that may wait go together once the next one like the last would be too much for their block.
func TestPatientJoinFillsABlock(t *testing.T) {
	for name, c := range map[string]struct {
		rows, bytes int
		full        bool
	}{
		"a row more fits": {49, 1, false}, "no row fits": {50, 1, true},
		"a byte more fits": {1, 499, false}, "no byte fits": {1, 500, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 3).begun()
				var beats atomic.Int64
				began := time.Now()
				until := began.Add(3500 * time.Millisecond)
				one := b.patient(0, 1, 1, until, &beats)
				assert.Empty(t, one, "a second one like it fits")
				two := b.patient(1, c.rows, c.bytes, until, &beats)
				assert.Equal(t, c.full, len(two) == 1)
				id := <-one
				assert.NotZero(t, id)
				assert.Equal(t, id, <-two)
				if !c.full {
					assert.Equal(t, 3500*time.Millisecond, time.Since(began))
					assert.EqualValues(t, 6, beats.Load())
				}
			})
		})
	}
}

// A batch that may wait goes with those that are due, whenever these come, and alone if none is due in its time.
func TestPatientJoinGoesWithTheDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 3).begun()
		var beats atomic.Int64
		began := time.Now()
		until := began.Add(500 * time.Millisecond)
		assert.Zero(t, <-b.patient(0, 1, 1, until, &beats))
		assert.Equal(t, 500*time.Millisecond, time.Since(began))

		one := b.patient(0, 1, 1, until.Add(time.Hour), &beats)
		b.seats[1].Due(time.Now().Add(time.Second))
		b.seats[1].Due(time.Time{})
		synctest.Wait()
		assert.Empty(t, one, "whatever others say, it may wait")
		two := <-b.join(1, 1, 1)
		assert.NotZero(t, two)
		assert.Equal(t, two, <-one)

		began = time.Now()
		until = began.Add(time.Second)
		b.seats[1].Due(until)
		b.seats[2].Due(until)
		one = b.patient(0, 1, 1, until, &beats)
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Empty(t, one, "two more are due")
		other := b.join(1, 1, 1)
		id := <-one
		assert.Equal(t, id, <-other)
		assert.Equal(t, time.Second+linger, time.Since(began), "the third is waited for briefly")
		assert.Zero(t, <-b.join(2, 1, 1))
	})
}

// What several partitions insert is one insert, whose answer all of them get. One of them counts it.
func TestInsertTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 3).begun()
		id := b.blocks.begin([]int{0, 1, 2})
		two, zero := b.insert(id, 2), b.insert(id, 0)
		synctest.Wait()
		assert.Empty(t, b.table.seen(), "partition 1 has not recorded its range yet")
		answers := []Answer{<-b.insert(id, 1), <-two, <-zero}
		assert.Equal(t, [][]int64{{0, 1, 2}}, b.table.seen())
		counts := 0
		for _, a := range answers {
			assert.NoError(t, a.Err)
			assert.False(t, a.Doubt)
			assert.Equal(t, 3, a.Rows)
			if a.Counts {
				counts++
			}
		}
		assert.Equal(t, 1, counts)
		for p := range 3 {
			b.blocks.Leave(id, p)
		}
		assert.Empty(t, b.blocks.all)
	})
}

// Whoever does not come is waited for a bounded time. Its own insert is in doubt then, and so is every later one of the
// others.
func TestInsertWithoutOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 3).begun()
		id := b.blocks.begin([]int{0, 1, 2})
		began := time.Now()
		zero, one := b.insert(id, 0), b.insert(id, 1)
		assert.False(t, (<-zero).Doubt)
		assert.False(t, (<-one).Doubt)
		assert.Equal(t, recordPatience, time.Since(began))
		b.blocks.Leave(id, 0)
		b.blocks.Leave(id, 1)
		assert.True(t, (<-b.insert(id, 2)).Doubt)
		assert.Equal(t, recordPatience, time.Since(began))
	})
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 3).begun()
		id := b.blocks.begin([]int{0, 1, 2})
		zero, one := b.insert(id, 0), b.insert(id, 1)
		synctest.Wait()
		b.blocks.Leave(id, 2) // it is lost
		assert.NoError(t, (<-zero).Err)
		assert.NoError(t, (<-one).Err)
	})
}

// After an error all partitions wait equally long and try again together. That is the same insert, and not in doubt.
func TestInsertAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2).begun()
		b.table.answer = func([]int64) error { return errors.New("away") }
		id := b.blocks.begin([]int{0, 1})
		zero, one := b.insert(id, 0), b.insert(id, 1)
		x, y := <-zero, <-one
		assert.Error(t, x.Err)
		assert.Positive(t, x.Pause)
		assert.Equal(t, x.Pause, y.Pause)
		b.table.answer = nil
		zero = b.insert(id, 0)
		<-time.After(recordPatience + time.Second)
		assert.Empty(t, zero, "the other one comes")
		assert.False(t, (<-b.insert(id, 1)).Doubt)
		assert.False(t, (<-zero).Doubt)
	})
}

// A refused block is halved by partitions until the bad one is alone. All answers are in doubt, because one of the
// halves has used the token up.
func TestInsertIsDivided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 4).begun()
		b.table.answer = func(offsets []int64) error {
			if slices.Contains(offsets, 2) {
				return &ch.Exception{Code: 27}
			}
			return nil
		}
		id := b.blocks.begin([]int{0, 1, 2, 3})
		var all []chan Answer
		for p := range 4 {
			all = append(all, b.insert(id, p))
		}
		for p, answer := range all {
			a := <-answer
			assert.Equal(t, p == 2, a.Err != nil, "partition %d", p)
			assert.True(t, a.Doubt, "partition %d", p)
			assert.Equal(t, p < 2, a.Together, "partition %d", p)
		}
		assert.Equal(t, [][]int64{{0, 1, 2, 3}, {0, 1}, {2, 3}, {2}, {3}}, b.table.seen())
		b.table.answer = nil
		assert.True(t, (<-b.insert(id, 2, func(s *Send) { s.Alone = true })).Doubt)
	})
}

// A block that is too large is halved by partitions too, and the size is told, but not that of a partition alone: the
// partition deals with that.
func TestInsertIsTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 3).begun()
		b.table.answer = func(offsets []int64) error {
			if len(offsets) > 1 || offsets[0] == 0 {
				return &ch.Exception{Code: 241}
			}
			return nil
		}
		id := b.blocks.begin([]int{0, 1, 2})
		zero, one, two := b.insert(id, 0), b.insert(id, 1), b.insert(id, 2)
		assert.Error(t, (<-zero).Err)
		assert.NoError(t, (<-one).Err)
		assert.NoError(t, (<-two).Err)
		assert.Equal(t, [][]int64{{0, 1, 2}, {0}, {1, 2}, {1}, {2}}, b.table.seen())
		assert.Len(t, b.large, 2)
		assert.Greater(t, b.large[0], b.large[1])
	})
}

// Ranges that an earlier owner has recorded are waited for until all partitions have said what they have.
func TestInsertOfRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 3)
		b.blocks.Recorded(0, []uint64{7})
		zero := b.insert(7, 0)
		<-time.After(time.Second)
		assert.Empty(t, zero, "another partition may have a range of the block")
		b.blocks.Recorded(1, []uint64{0, 7})
		b.blocks.Recorded(2, nil)
		synctest.Wait()
		assert.Empty(t, zero, "partition 1 has one")
		one := b.insert(7, 1)
		assert.NoError(t, (<-zero).Err)
		assert.NoError(t, (<-one).Err)
		assert.Equal(t, [][]int64{{0, 1}}, b.table.seen())
	})
}

// Nothing is sent once what the table had is not trusted any more: one ms before it is, one ms after it is not.
func TestInsertIsStale(t *testing.T) {
	for _, d := range []time.Duration{-time.Millisecond, time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, 2).begun()
			id := b.blocks.begin([]int{0, 1})
			a := <-b.insert(id, 0, func(s *Send) { s.Until = time.Now().Add(recordPatience + d) })
			assert.Equal(t, d < 0, a.Stale)
			if d < 0 {
				assert.Empty(t, b.table.seen())
			}
		})
	}
}

// A partition that ends while it waits leaves the others; one whose rows are being sent ends once they are not needed.
func TestInsertEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2).begun()
		id := b.blocks.begin([]int{0, 1})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan Answer, 1)
		go func() {
			until := time.Now().Add(time.Hour)
			ended <- b.blocks.Insert(ctx, Send{Block: id, Partition: 0, Rows: blockOf(t, 0), Token: "T", Until: until})
		}()
		synctest.Wait()
		cancel()
		assert.ErrorIs(t, (<-ended).Err, context.Canceled)
		assert.NoError(t, (<-b.insert(id, 1)).Err)
		assert.Equal(t, [][]int64{{1}}, b.table.seen())
	})
}
