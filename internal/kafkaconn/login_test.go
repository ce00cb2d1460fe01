package kafkaconn

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
)

const topic = "events"

// broker starts a broker with the events topic and returns settings that reach it without TLS or login.
func broker(t *testing.T, opts ...kfake.Opt) Config {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(2, topic)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	c := good()
	c.Brokers = cluster.ListenAddrs()
	return c
}

// reach requests the topic's metadata, as gateway and consumer do.
func reach(ctx context.Context, c Config) error {
	transport, err := c.Transport("test")
	if err != nil {
		return err
	}
	defer transport.CloseIdleConnections()
	meta, err := c.Client(transport).Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err == nil && len(meta.Topics) != 1 {
		err = fmt.Errorf("%d topics", len(meta.Topics))
	}
	return err
}

func requireReached(t *testing.T, c Config) {
	t.Helper()
	require.NoError(t, c.Check())
	require.NoError(t, reach(t.Context(), c))
}

func requireRefused(t *testing.T, c Config) {
	t.Helper()
	require.NoError(t, c.Check())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := reach(ctx, c)
	require.Error(t, err)
	require.NoError(t, ctx.Err(), "refused at once, not by the test's patience")
	require.NotContains(t, err.Error(), "hunter2")
}

func TestLogin(t *testing.T) {
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			c := broker(t, kfake.EnableSASL(), kfake.Superuser(mechanism, "sluice", "right"))
			c.SASLMechanism, c.SASLUsername, c.SASLPassword = mechanism, "sluice", "right"
			requireReached(t, c)

			c.SASLPassword = "hunter2"
			requireRefused(t, c)

			c.SASLPassword, c.SASLUsername = "right", "somebody"
			requireRefused(t, c)
		})
	}
}

func TestLoginWithAPasswordThatIsReplaced(t *testing.T) {
	c := broker(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "sluice", "new"))
	c.SASLMechanism, c.SASLUsername, c.SASLPasswordFile = "PLAIN", "sluice", filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(c.SASLPasswordFile, []byte("old\n"), 0o600))
	requireRefused(t, c)
	require.NoError(t, os.WriteFile(c.SASLPasswordFile, []byte("new\n"), 0o600))
	requireReached(t, c)
}

func TestTLS(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	c := broker(t, kfake.TLS(ours.server(t)))
	c.TLS, c.TLSCAFile = true, ours.file
	c.TLSCertFile, c.TLSKeyFile = ours.issue(t, "client")
	requireReached(t, c)

	t.Run("broker of another authority", func(t *testing.T) {
		c := c
		c.TLSCAFile = other.file
		requireRefused(t, c)
	})
	t.Run("client of another authority", func(t *testing.T) {
		c := c
		c.TLSCertFile, c.TLSKeyFile = other.issue(t, "client")
		requireRefused(t, c)
	})
	t.Run("no client certificate", func(t *testing.T) {
		c := c
		c.TLSCertFile, c.TLSKeyFile = "", ""
		requireRefused(t, c)
	})
}

// The first connect after a client certificate changes on disk uses the new one, without a restart.
func TestClientCertificateIsReadAtEachConnect(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	c := broker(t, kfake.TLS(ours.server(t)))
	c.TLS, c.TLSCAFile = true, ours.file
	c.TLSCertFile, c.TLSKeyFile = other.issue(t, "client")
	ask := sameTransport(t, c)
	require.Error(t, ask())

	cert, key := ours.issue(t, "client")
	require.NoError(t, os.Rename(key, c.TLSKeyFile))
	require.NoError(t, os.Rename(cert, c.TLSCertFile))
	require.NoError(t, ask())
}

// The first connect after the file of authorities changes trusts brokers with certificates of the new authority.
func TestAuthoritiesAreReadAtEachConnect(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	c := broker(t, kfake.TLS(ours.server(t)))
	c.TLS, c.TLSCAFile = true, filepath.Join(t.TempDir(), "ca.pem")
	c.TLSCertFile, c.TLSKeyFile = ours.issue(t, "client")
	replace := func(file string) {
		t.Helper()
		pem, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(c.TLSCAFile, pem, 0o600))
	}
	replace(other.file)
	ask := sameTransport(t, c)
	require.ErrorContains(t, ask(), "authority")
	replace(ours.file)
	require.NoError(t, ask())
	replace(c.TLSKeyFile)
	require.ErrorContains(t, ask(), "--kafka-tls-ca-file")
}

// sameTransport returns a function that opens a connection through one transport and makes a request on it.
func sameTransport(t *testing.T, c Config) func() error {
	t.Helper()
	transport, err := c.Transport("test")
	require.NoError(t, err)
	return func() error {
		conn, err := transport.Dial(t.Context(), "tcp", c.Brokers[0])
		if err != nil {
			return err
		}
		defer conn.Close()
		pc := protocol.NewConn(conn, "test")
		_, err = pc.RoundTrip(new(apiversions.Request)) // in TLS 1.3 the client's first read returns the refusal of its certificate
		return err
	}
}

func TestTLSAndLogin(t *testing.T) {
	ours := newAuthority(t)
	c := broker(t, kfake.TLS(ours.server(t)), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "sluice", "right"))
	c.TLS, c.TLSCAFile = true, ours.file
	c.TLSCertFile, c.TLSKeyFile = ours.issue(t, "client")
	c.SASLMechanism, c.SASLUsername, c.SASLPassword = "SCRAM-SHA-256", "sluice", "right"
	requireReached(t, c)
}
