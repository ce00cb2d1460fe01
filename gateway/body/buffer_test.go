package body

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBudget(t *testing.T) {
	t.Parallel()
	refusals := 0
	b := &budget{most: 100, refused: func() { refusals++ }}
	for _, step := range []struct {
		n    int64
		slow bool
		want bool
	}{
		{49, true, true}, {2, true, false}, {1, true, true}, {1, true, false}, // slow bodies have half of the budget
		{51, false, false}, {49, false, true}, {2, false, false}, {1, false, true}, {1, false, false},
	} {
		assert.Equal(t, step.want, b.take(step.n, step.slow), "%d, slow=%v, with %d used", step.n, step.slow, b.used.Load())
	}
	assert.Equal(t, 5, refusals)
	b.give(100)
	assert.True(t, b.take(100, false), "what was given back is available")
	boundless := &budget{refused: func() {}}
	assert.True(t, boundless.take(1<<40, true), "0 is no bound")
}

// TestBodyBuffer: a body takes about what it needs from the budget, nothing for its first bytes, and gives all of it
// back.
func TestBodyBuffer(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, freeBytes - 1, freeBytes, freeBytes + 1, 100_000, 1 << 20, 5 << 20} {
		budget := &budget{most: 16 << 20, refused: func() {}}
		text := bytes.Repeat([]byte("x"), n)
		b := GetBuffer()
		b.budget = budget
		_, err := b.ReadFrom(bytes.NewReader(text))
		require.NoError(t, err, n)
		require.True(t, bytes.Equal(text, b.Bytes()), n)
		held := budget.used.Load()
		if n < freeBytes {
			assert.Zero(t, held, n)
		}
		assert.LessOrEqual(t, int64(n), held+freeBytes)
		assert.LessOrEqual(t, held, 2*int64(n))
		b.Release()
		assert.Zero(t, budget.used.Load(), "%d bytes are not given back", n)
	}
	small := &Buffer{budget: &budget{most: 10_000, refused: func() {}}}
	n, err := small.ReadFrom(strings.NewReader(strings.Repeat("x", 100_000)))
	assert.ErrorIs(t, err, ErrNoRoom)
	assert.LessOrEqual(t, n, int64(freeBytes+10_000), "it stops at the budget")
	small.Release()
}

// TestSlowBodiesHaveHalf: a body that has taken longer than ten seconds may use only half of the budget.
func TestSlowBodiesHaveHalf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		wait time.Duration
		err  error
	}{{slowAfter, nil}, {slowAfter + time.Millisecond, ErrNoRoom}} {
		synctest.Test(t, func(t *testing.T) {
			b := &Buffer{budget: &budget{most: 64 << 10, refused: func() {}}}
			first := io.MultiReader(strings.NewReader(strings.Repeat("x", 30<<10)), readerFunc(func([]byte) (int, error) {
				time.Sleep(c.wait)
				return 0, io.EOF
			}), strings.NewReader(strings.Repeat("x", 20<<10)))
			_, err := b.ReadFrom(first)
			assert.Equal(t, c.err, err, "after %s", c.wait)
		})
	}
}

// readerFunc is a function that is an io.Reader.
type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestMadeOfABody: what is made of a body takes from the same budget as the body, and gives all of it back.
func TestMadeOfABody(t *testing.T) {
	t.Parallel()
	const most = 100_000
	p, err := NewPool(Config{Budget: most, Refused: func() {}})
	require.NoError(t, err)
	for _, n := range []int{0, 1, freeBytes, freeBytes + 1, 50_000} {
		b := p.Buffer()
		for left := n; left > 0; left -= 1000 {
			_, err := b.Write(bytes.Repeat([]byte("x"), min(left, 1000)))
			require.NoError(t, err)
		}
		assert.Equal(t, n, b.Len())
		held := p.Used()
		assert.LessOrEqual(t, int64(n), held+freeBytes)
		left := int(most - held)
		require.ErrorIs(t, b.Reserve(left+1), ErrNoRoom)
		require.NoError(t, b.Reserve(left))
		require.NoError(t, b.Reserve(0))
		require.ErrorIs(t, b.Reserve(1), ErrNoRoom)
		assert.EqualValues(t, most, p.Used())
		b.Release()
		assert.Zero(t, p.Used(), "%d bytes are not given back", n)
	}
	b := p.Buffer()
	n, err := b.Write(make([]byte, 2*most))
	require.ErrorIs(t, err, ErrNoRoom)
	assert.LessOrEqual(t, n, freeBytes+most)
	b.Release()
	assert.Zero(t, p.Used())
}
