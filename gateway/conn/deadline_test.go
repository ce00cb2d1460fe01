package conn

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// deadlineConn is a connection that notes the deadlines in force. A read gets a byte.
type deadlineConn struct {
	net.Conn
	reads, writes []time.Time
	both          int
}

func (c *deadlineConn) SetReadDeadline(t time.Time) error { c.reads = append(c.reads, t); return nil }
func (c *deadlineConn) SetWriteDeadline(t time.Time) error {
	c.writes = append(c.writes, t)
	return nil
}
func (c *deadlineConn) SetDeadline(time.Time) error { c.both++; return nil }
func (*deadlineConn) Read([]byte) (int, error)      { return 1, nil }

// A read has the deadline that was set last, to the nanosecond. A deadline that no read follows costs nothing.
func TestReadDeadlines(t *testing.T) {
	t.Parallel()
	inner := &deadlineConn{}
	c := &parkingConn{Conn: inner, lot: &parking{after: 2 * time.Second, idle: time.Minute}}
	at := time.Unix(1_000_000, 0)
	read := func() { _, err := c.Read(make([]byte, 1)); require.NoError(t, err) }

	require.NoError(t, c.SetReadDeadline(at))
	require.NoError(t, c.SetReadDeadline(at.Add(1)))
	require.Empty(t, inner.reads, "nobody reads")
	read()
	read()
	require.Equal(t, []time.Time{at.Add(1)}, inner.reads)
	require.NoError(t, c.SetReadDeadline(at)) // earlier
	read()
	require.NoError(t, c.SetReadDeadline(at.Add(1))) // later
	read()
	require.Equal(t, []time.Time{at.Add(1), at, at.Add(1)}, inner.reads)
}

// An idle connection keeps a deadline that is up to an eighth of the parking time earlier.
func TestReadDeadlinesOfIdleConnections(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		later time.Duration
		moves bool
	}{{-1, true}, {0, false}, {250*time.Millisecond - 1, false}, {250 * time.Millisecond, false}, {250*time.Millisecond + 1, true}} {
		inner := &deadlineConn{}
		c := &parkingConn{Conn: inner, lot: &parking{after: 2 * time.Second, idle: time.Minute}, idle: true}
		end := time.Unix(1_000_000, 0)
		for _, t1 := range []time.Time{end, end.Add(tc.later)} {
			require.NoError(t, c.SetReadDeadline(t1))
			_, err := c.Read(make([]byte, 1))
			require.NoError(t, err)
			require.Equal(t, t1, c.until, "the idle time is exact")
		}
		parks := end.Add(-58 * time.Second)
		want := []time.Time{parks}
		if tc.moves {
			want = append(want, parks.Add(tc.later))
		}
		assert.Equal(t, want, inner.reads, "%s later", tc.later)
	}
}

// A write deadline moves when it would be more than a second early.
func TestWriteDeadlines(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		later time.Duration
		moves bool
	}{{-1, true}, {0, false}, {time.Second - 1, false}, {time.Second, false}, {time.Second + 1, true}} {
		inner := &deadlineConn{}
		c := &parkingConn{Conn: inner, lot: &parking{}}
		at := time.Unix(1_000_000, 0)
		require.NoError(t, c.SetWriteDeadline(at))
		require.NoError(t, c.SetWriteDeadline(at.Add(tc.later)))
		want := []time.Time{at}
		if tc.moves {
			want = append(want, at.Add(tc.later))
		}
		assert.Equal(t, want, inner.writes, "%s later", tc.later)
	}
}

// A deadline of zero is one as well: no deadline.
func TestNoReadDeadline(t *testing.T) {
	t.Parallel()
	inner := &deadlineConn{}
	c := &parkingConn{Conn: inner, lot: &parking{after: 2 * time.Second, idle: time.Minute}}
	for _, at := range []time.Time{time.Unix(1_000_000, 0), {}, time.Unix(1_000_000, 0)} {
		require.NoError(t, c.SetReadDeadline(at))
		_, err := c.Read(make([]byte, 1))
		require.NoError(t, err)
	}
	require.Equal(t, []time.Time{time.Unix(1_000_000, 0), {}, time.Unix(1_000_000, 0)}, inner.reads)
}

// Deadlines of a connection that leaves the server hold at once: they may come from another goroutine than the one that
// reads.
func TestDeadlinesAfterTheServer(t *testing.T) {
	t.Parallel()
	inner := &deadlineConn{}
	c := &parkingConn{Conn: inner, lot: &parking{}}
	at := time.Unix(1_000_000, 0)
	require.NoError(t, c.SetReadDeadline(at.Add(-1)))
	require.NoError(t, c.SetDeadline(time.Time{}))
	require.Equal(t, 1, inner.both)
	want := []time.Time{at, at, {}, at.Add(1)}
	for _, set := range want {
		require.NoError(t, c.SetReadDeadline(set))
		require.NoError(t, c.SetWriteDeadline(set))
	}
	_, err := c.Read(make([]byte, 1))
	require.NoError(t, err)
	require.Equal(t, want, inner.reads)
	require.Equal(t, want, inner.writes)
}
