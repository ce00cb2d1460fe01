package kafkaconn

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
)

// Keys of requests on the wire.
const (
	keyVersions     = 18
	keyHandshake    = 17
	keyAuthenticate = 36
)

// strictProxy stands between client and broker and acts like Apache Kafka: after the end of a session, any request but
// a new login closes the connection. kfake only announces the lifetime.
type strictProxy struct {
	session time.Duration // 0: never ends

	mu      sync.Mutex
	logins  int // of all connections
	conns   int
	refused int // requests after the end of their session
}

func (p *strictProxy) listen(t *testing.T, broker string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var open sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); l.Close(); open.Wait() })
	open.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", broker)
			if err != nil {
				client.Close()
				continue
			}
			stop := context.AfterFunc(ctx, func() { client.Close(); server.Close() })
			p.count(func() { p.conns++ })
			open.Go(func() { defer client.Close(); _, _ = io.Copy(client, server) })
			open.Go(func() { defer stop(); defer server.Close(); p.requests(client, server) })
		}
	})
	return l.Addr().String()
}

// requests forwards the client's requests until one comes after the end of the session.
func (p *strictProxy) requests(client io.Reader, server io.Writer) {
	began := time.Now()
	for {
		frame := make([]byte, 4)
		if _, err := io.ReadFull(client, frame); err != nil {
			return
		}
		frame = append(frame, make([]byte, binary.BigEndian.Uint32(frame))...)
		if _, err := io.ReadFull(client, frame[4:]); err != nil {
			return
		}
		switch binary.BigEndian.Uint16(frame[4:]) {
		case keyHandshake:
		case keyAuthenticate:
			began = time.Now()
			p.count(func() { p.logins++ })
		default:
			if p.session > 0 && time.Since(began) > p.session {
				p.count(func() { p.refused++ })
				return
			}
		}
		if _, err := server.Write(frame); err != nil {
			return
		}
	}
}

func (p *strictProxy) count(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// sessions starts a broker with sessions of a given lifetime, and returns settings that log in to it through a
// strictProxy.
func sessions(t *testing.T, last string) (*strictProxy, Config) {
	t.Helper()
	lifetime, err := time.ParseDuration(last + "ms")
	require.NoError(t, err)
	p := &strictProxy{session: lifetime}
	c := broker(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "sluice", "right"), kfake.Superuser("SCRAM-SHA-256", "sluice", "right"),
		kfake.BrokerConfigs(map[string]string{"connections.max.reauth.ms": last}))
	c.Brokers = []string{p.listen(t, c.Brokers[0])}
	c.SASLMechanism, c.SASLUsername, c.SASLPassword = "PLAIN", "sluice", "right"
	return p, c
}

// ask makes one request on a connection.
func ask(conn net.Conn) error {
	_, err := conn.Write([]byte("\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff")) // ApiVersions, version 0
	if err != nil {
		return err
	}
	size := make([]byte, 4)
	if _, err := io.ReadFull(conn, size); err != nil {
		return err
	}
	_, err = io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(size)))
	return err
}

// A connection in use for longer than a session logs in again between its requests, and stays open. So does a
// connection that was idle at the end of its session.
func TestLoginIsRenewedBeforeItsSessionEnds(t *testing.T) {
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256"} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			p, c := sessions(t, "2000") // the client has 200 ms of it for what is under way
			c.SASLMechanism = mechanism
			conn, err := c.dial("test")(t.Context(), "tcp", c.Brokers[0])
			require.NoError(t, err)
			defer conn.Close()
			renewals := func() int {
				p.mu.Lock()
				defer p.mu.Unlock()
				if mechanism == "PLAIN" {
					return p.logins - 1
				}
				return p.logins/2 - 1 // SCRAM logs in with two messages
			}
			for renewals() < 3 { // busy
				require.NoError(t, ask(conn))
				<-time.After(time.Millisecond)
			}
			idle := time.NewTimer(p.session + p.session/10)
			<-idle.C
			require.NoError(t, ask(conn))
			require.Equal(t, 4, renewals())
			require.Equal(t, 1, p.conns)
			require.Zero(t, p.refused)
		})
	}
}

// A login waits until a request that is written in pieces is complete.
func TestRenewalWaitsForTheEndOfARequest(t *testing.T) {
	p, c := sessions(t, "300")
	conn, err := c.dial("test")(t.Context(), "tcp", c.Brokers[0])
	require.NoError(t, err)
	defer conn.Close()
	s := conn.(*session)
	request := []byte("\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff")
	_, err = conn.Write(request[:6])
	require.NoError(t, err)
	s.renew = time.Now().Add(-time.Hour)
	_, err = conn.Write(request[6:])
	require.NoError(t, err)
	require.Equal(t, 1, p.logins)
	_, err = io.ReadFull(conn, make([]byte, 4))
	require.NoError(t, err)
}

// Without a limit by the broker the client logs in once. A failed renewal is an error that names the renewal.
func TestRenewalFails(t *testing.T) {
	_, c := sessions(t, "0")
	c.SASLPassword, c.SASLPasswordFile = "", filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(c.SASLPasswordFile, []byte("right"), 0o600))
	conn, err := c.dial("test")(t.Context(), "tcp", c.Brokers[0])
	require.NoError(t, err)
	defer conn.Close()
	s := conn.(*session)
	require.Zero(t, s.renew)

	p, c2 := sessions(t, "60000")
	c2.SASLPassword, c2.SASLPasswordFile = "", c.SASLPasswordFile
	conn, err = c2.dial("test")(t.Context(), "tcp", c2.Brokers[0])
	require.NoError(t, err)
	defer conn.Close()
	s = conn.(*session)
	require.WithinRange(t, s.renew, time.Now().Add(47*time.Second), time.Now().Add(54*time.Second))
	require.NoError(t, os.WriteFile(c.SASLPasswordFile, []byte("hunter2"), 0o600))
	s.renew = time.Now().Add(-time.Second)
	err = ask(conn)
	require.ErrorIs(t, err, kafka.SASLAuthenticationFailed)
	require.ErrorContains(t, err, "renew the login")
	require.NotContains(t, err.Error(), "hunter2")
	require.Equal(t, 2, p.logins)
}

// A login at a broker that never answers ends with its context.
func TestLoginEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	c := good()
	c.SASLMechanism, c.SASLUsername, c.SASLPassword = "PLAIN", "u", "p"
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = c.dial("test")(ctx, "tcp", l.Addr().String())
	require.Error(t, err)
	require.True(t, errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded), err)
}
