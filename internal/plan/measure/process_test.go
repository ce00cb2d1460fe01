package measure

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPart(t *testing.T) {
	t.Parallel()
	p, err := startPart(t.Context(), partGateway, Place{Key: "k"})
	require.NoError(t, err)
	require.Equal(t, "at k", p.addr)
	use, err := UsageOf(p.cmd.Process.Pid)
	require.NoError(t, err)
	require.Positive(t, use.Resident)
	p.stop()
	require.NoError(t, p.err, "it ended by itself when its input closed")
	_, err = UsageOf(p.cmd.Process.Pid)
	require.ErrorIs(t, err, ErrNoUsage)
}

func TestPartThatFails(t *testing.T) {
	t.Parallel()
	_, err := startPart(t.Context(), partConsumer, Place{Broker: "b:1"})
	require.EqualError(t, err, "the consumer ended by itself: sluice plan: consumer: no such broker: b:1")
	_, err = startPart(t.Context(), "nobody", Place{})
	require.ErrorContains(t, err, "there is no part with this name")
}

func TestStartIsStopped(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, err := startPart(ctx, partBroker, Place{Dir: t.TempDir()})
	require.True(t, err == nil || ctx.Err() != nil)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	before, err := UsageOf(os.Getpid())
	require.NoError(t, err)
	text := make([]byte, 1<<20)
	file := t.TempDir() + "/file"
	require.NoError(t, os.WriteFile(file, text, 0o600))
	_, err = os.ReadFile(file)
	require.NoError(t, err)
	after, err := UsageOf(os.Getpid())
	require.NoError(t, err)
	used := after.Since(before)
	require.GreaterOrEqual(t, used.Written, uint64(1<<20))
	require.GreaterOrEqual(t, used.Read, uint64(1<<20))
	require.GreaterOrEqual(t, used.Processor.Seconds(), 0.0)
}
