package gateway

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestBudget(t *testing.T) {
	refusals := 0
	b := &budget{most: 100, refused: func() { refusals++ }}
	for _, step := range []struct {
		n    int64
		slow bool
		want bool
	}{
		{49, true, true}, {2, true, false}, {1, true, true}, {1, true, false}, // slow ones have half
		{51, false, false}, {49, false, true}, {2, false, false}, {1, false, true}, {1, false, false},
	} {
		if got := b.take(step.n, step.slow); got != step.want {
			t.Errorf("%d, slow=%v: got %v with %d used", step.n, step.slow, got, b.used.Load())
		}
	}
	if refusals != 5 {
		t.Errorf("%d refusals were reported", refusals)
	}
	b.give(100)
	if !b.take(100, false) {
		t.Error("what was given back is not there")
	}
	boundless := &budget{refused: func() {}}
	if !boundless.take(1<<40, true) {
		t.Error("no bound is a bound")
	}
}

// TestBodyBuffer: a body holds about what it needs in memory, nothing for its first bytes, and gives all of it back.
func TestBodyBuffer(t *testing.T) {
	for _, n := range []int{0, 1, freeBody - 1, freeBody, freeBody + 1, 100_000, 1 << 20, 5 << 20} {
		budget := &budget{most: 16 << 20, refused: func() {}}
		text := bytes.Repeat([]byte("x"), n)
		b := getBuffer()
		b.budget = budget
		if _, err := b.ReadFrom(bytes.NewReader(text)); err != nil || !bytes.Equal(b.Bytes(), text) {
			t.Fatalf("%d bytes: got %d, %v", n, b.Len(), err)
		}
		held := budget.used.Load()
		if n < freeBody && held != 0 || int64(n) > held+freeBody || held > 2*int64(n) {
			t.Errorf("%d bytes hold %d", n, held)
		}
		b.release()
		if left := budget.used.Load(); left != 0 {
			t.Errorf("%d bytes: %d were not given back", n, left)
		}
	}
	small := &bodyBuffer{budget: &budget{most: 10_000, refused: func() {}}}
	if n, err := small.ReadFrom(strings.NewReader(strings.Repeat("x", 100_000))); err != errNoRoom || n > freeBody+10_000 {
		t.Errorf("over the budget: read %d, %v", n, err)
	}
	small.release()
}

// TestSlowBodiesHaveHalf: a body that has taken longer than ten seconds may use half of the budget only.
func TestSlowBodiesHaveHalf(t *testing.T) {
	for _, c := range []struct {
		wait time.Duration
		err  error
	}{{slowBody, nil}, {slowBody + time.Millisecond, errNoRoom}} {
		synctest.Test(t, func(t *testing.T) {
			b := &bodyBuffer{budget: &budget{most: 64 << 10, refused: func() {}}}
			first := io.MultiReader(strings.NewReader(strings.Repeat("x", 30<<10)), readerFunc(func([]byte) (int, error) {
				time.Sleep(c.wait)
				return 0, io.EOF
			}), strings.NewReader(strings.Repeat("x", 20<<10)))
			if _, err := b.ReadFrom(first); err != c.err {
				t.Errorf("after %s: %v", c.wait, err)
			}
		})
	}
}

// readerFunc is a reader of one function.
type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
