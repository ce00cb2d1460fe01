package budget

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Partitions of one unit have their turns after each other, and who asks again meanwhile comes after the others.
func TestTurnsGoByUnits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(1)
		var mu sync.Mutex
		first := turns.Turn(9)
		first.Take(t.Context(), 0)
		var got []string
		ask := func(unit, rounds int, name string) {
			go func() {
				one := turns.Turn(unit)
				for range rounds {
					for !one.Take(t.Context(), 310*time.Millisecond) { // it keeps its place; never at the end of a turn
					}
					mu.Lock()
					got = append(got, name)
					mu.Unlock()
					time.Sleep(time.Second)
					one.End()
				}
			}()
			synctest.Wait()
		}
		for n := range 3 {
			ask(0, 2, fmt.Sprintf("a%d", n))
			ask(1, 1, fmt.Sprintf("b%d", n))
		}
		first.End()
		time.Sleep(time.Minute)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if want := []string{"a0", "a1", "a2", "b0", "b1", "b2", "a0", "a1", "a2"}; !slices.Equal(got, want) {
			t.Errorf("%v, not %v", got, want)
		}
	})
}

// A partition learns whether others of its unit still have a backlog.
func TestOthersOfTheUnit(t *testing.T) {
	turns := NewTurns(1)
	one, two, other := turns.Turn(0), turns.Turn(0), turns.Turn(1)
	if none := (&Turn{}); none.Others() {
		t.Error("without turns")
	}
	other.Take(t.Context(), 0)
	if one.Others() {
		t.Error("another unit's")
	}
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan bool)
	go func() { waited <- two.Take(ctx, time.Hour) }()
	for !one.Others() {
		runtime.Gosched()
	}
	cancel()
	if <-waited; one.Others() {
		t.Error("it does not wait any more")
	}
	other.End()
	two.Take(t.Context(), 0)
	if !one.Others() {
		t.Error("it has a turn")
	}
	two.End()
	if one.Others() {
		t.Error("it had a turn")
	}
}
