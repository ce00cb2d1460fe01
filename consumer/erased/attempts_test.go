package erased

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/consumer/delivery"
	"sluice/consumer/rows"
	"sluice/internal/erasure"
)

// world is a table that forgets no token, loses answers, and gets inserts late.
type world struct {
	Inner
	rnd    *rand.Rand
	erased bool // the list has the erasure
	marks  []erasure.Mark
	bad    int64 // the offset of the row that is refused; -1: none

	rows   map[int64]int
	tokens map[string]bool
	late   []func() // inserts that were sent and have not arrived
}

var (
	errLost = errors.New("no answer")
	errBad  = errors.New("a row is refused")
)

func (w *world) Erasures(context.Context) ([]erasure.Mark, error) {
	if w.erased {
		return w.marks, nil
	}
	return nil, nil
}

func (w *world) Insert(_ context.Context, token string, blocks ...*rows.Block) error {
	offsets := append([]int64(nil), blocks[0].Offsets()...)
	for _, o := range offsets {
		if o == w.bad {
			return errBad
		}
	}
	apply := func() {
		if !w.tokens[token] {
			w.tokens[token] = true
			for _, o := range offsets {
				w.rows[o]++
			}
		}
	}
	switch w.rnd.IntN(4) {
	case 0:
		return errLost
	case 1:
		w.late = append(w.late, apply)
		return errLost
	case 2:
		apply()
		return errLost
	}
	apply()
	return nil
}

func (w *world) Missing(_ context.Context, _ string, _ int, b *rows.Block) (all []int32, err error) {
	for i, o := range b.Offsets() {
		if w.rows[o] == 0 {
			all = append(all, int32(i))
		}
	}
	return all, nil
}

// arrive lets some of the late inserts arrive.
func (w *world) arrive(all bool) {
	var left []func()
	for _, f := range w.late {
		if all || w.rnd.IntN(3) == 0 {
			f()
		} else {
			left = append(left, f)
		}
	}
	w.late = left
}

// attempt is one owner's attempt at the range. It gives up at random. It returns whether the range is in.
func (w *world) attempt(t *testing.T, b *rows.Block, first bool, split *delivery.Split) bool {
	table, _ := Around(w, slog.New(slog.DiscardHandler)) // an owner reads the list at its first insert
	now := time.Now()
	s := delivery.Settle(delivery.Block{
		Token: "range", Offsets: b.Offsets(), SealedAt: now, Uncertain: !first, Split: *split,
	})
	for step := 0; ; step++ {
		require.Less(t, step, 10_000, "it does not end")
		if w.rnd.IntN(12) == 0 {
			return false
		}
		if w.rnd.IntN(6) == 0 {
			w.erased = true // this owner knows of it after ListAge only: the next one does
		}
		w.arrive(false)
		switch s.Next(now) {
		case delivery.ActionDone:
			return true
		case delivery.ActionRead:
			missing, err := table.Missing(t.Context(), "", 0, b)
			require.NoError(t, err)
			s.Found(missing, now)
		case delivery.ActionInsert:
			block := b
			if p := s.Piece(); p.Rows != nil {
				block = b.Pick(p.Rows)
			}
			switch err := table.Insert(t.Context(), s.Piece().Token, block); {
			case err == nil:
				s.Accepted()
			case errors.Is(err, errBad):
				if mark, _ := s.Refused(); mark {
					*split = delivery.SplitForRow
				}
			default:
				s.Unknown()
			}
		case delivery.ActionJudge, delivery.ActionAllRefused:
			for _, row := range append([]int32(nil), s.Rejected()...) {
				s.DeadLettered(row)
			}
		}
	}
}

// TestAttempts: owners take a range up one after the other; answers are lost, inserts arrive late, a row is refused,
// and in the middle of it a user is erased. In the end the rows of others are there once, and after the deletion, which
// waits for what was sent before the list was read, nothing brings the user's back.
func TestAttempts(t *testing.T) {
	users := []string{"a", "x", "b", "x", "x", "c", "d", "x", "e", "f", "x", "g"}
	b := blockOf(t, users...)
	for seed := range uint64(3000) {
		w := &world{
			rnd: rand.New(rand.NewPCG(seed, 1)), marks: []erasure.Mark{userErased("x")}, bad: -1, //nolint:gosec // a test's
			rows: map[int64]int{}, tokens: map[string]bool{},
		}
		if seed%2 == 1 {
			w.bad = int64(w.rnd.IntN(len(users)))
		}
		split := delivery.Whole
		done, first := false, true
		for !done {
			done = w.attempt(t, b, first, &split)
			first = false
		}
		w.erased = true
		w.arrive(true) // sluice erase waits so long
		for o, user := range users {
			if user == "x" {
				delete(w.rows, int64(o))
			}
		}
		for again := range 2 { // as after a rewind: other owners, the same range
			for done = false; !done; {
				done = w.attempt(t, b, false, &split)
			}
			w.arrive(true)
			for o, user := range users {
				want := 1
				if user == "x" || int64(o) == w.bad {
					want = 0
				}
				// A refused row that is then erased: later pieces are larger, and an earlier one may arrive late.
				twice := w.bad >= 0 && users[w.bad] == "x" && want == 1
				if got := w.rows[int64(o)]; got != want && !(twice && got == 2) {
					require.Equal(t, want, got, "seed %d, row %d of %s, attempt %d", seed, o, user, again)
				}
			}
		}
	}
}
