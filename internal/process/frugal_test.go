package process

import (
	"context"
	"errors"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGCPercent(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		used, made uint64
		want       int
	}{
		{0, 0, 3200},
		{frugalRoom, 0, 100},
		{frugalRoom + 1, 0, 99},
		{16 * mib, 0, 200},
		{16 * mib, 64 * mib, 400},
		{16 * mib, busyRoom, 600},
		{16 * mib, busyRoom + mib, 600},
		{busyRoom, 400 * mib, 100},
		{2 * frugalRoom, 0, 50},
		{160 * mib, 0, 20},
		{160 * mib, 80 * mib, 50},   // as much garbage as a second produces
		{160 * mib, 400 * mib, 100}, // a busy service: the runtime's default pace
		{1 << 40, 0, percentLeast},
	} {
		require.Equal(t, c.want, gcPercent(c.used, c.made), "%d used, %d made", c.used, c.made)
	}
}

func TestFrugalLeavesThePaceAsItWas(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(77)
	defer debug.SetGCPercent(before)
	failure := errors.New("it failed")
	inside := 0
	err := Frugal(t.Context(), func(context.Context) error {
		inside = debug.SetGCPercent(percentDefault)
		return failure
	})
	require.ErrorIs(t, err, failure)
	require.Equal(t, percentDefault, inside)
	require.Equal(t, 77, debug.SetGCPercent(77))

	t.Setenv("GOGC", "50") // the operator chose the pace
	require.NoError(t, Frugal(t.Context(), func(context.Context) error {
		inside = debug.SetGCPercent(77)
		return nil
	}))
	require.Equal(t, 77, inside)
}
