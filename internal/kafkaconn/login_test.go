package kafkaconn

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
)

const topic = "events"

// broker starts a broker with the events topic and returns the settings to reach it without TLS or a login.
func broker(t *testing.T, opts ...kfake.Opt) Config {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(2, topic)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	c := good()
	c.Brokers = cluster.ListenAddrs()
	return c
}

// throughClient asks for the topic as the gateway does.
func throughClient(ctx context.Context, c Config) error {
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

// throughDialer joins a group as the consumer does, and leaves it.
func throughDialer(ctx context.Context, c Config) (err error) {
	dialer, err := c.Dialer("test")
	if err != nil {
		return err
	}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: "test", Brokers: c.Brokers, Topics: []string{topic}, Dialer: dialer, JoinGroupBackoff: 10 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := group.Close(); err == nil {
			err = closeErr
		}
	}()
	gen, err := group.Next(ctx)
	if err == nil && len(gen.Assignments[topic]) != 2 {
		err = fmt.Errorf("%d partitions", len(gen.Assignments[topic]))
	}
	return err
}

var bothWays = map[string]func(context.Context, Config) error{"client": throughClient, "dialer": throughDialer}

func requireReached(t *testing.T, c Config) {
	t.Helper()
	require.NoError(t, c.Check())
	for way, reach := range bothWays {
		require.NoError(t, reach(t.Context(), c), way)
	}
}

func requireRefused(t *testing.T, c Config) {
	t.Helper()
	require.NoError(t, c.Check())
	for way, reach := range bothWays {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err := reach(ctx, c)
		require.Error(t, err, way)
		require.NoError(t, ctx.Err(), "%s: refused at once, not by the test's patience", way)
		require.NotContains(t, err.Error(), "hunter2", way)
	}
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

// A certificate that was replaced on disk is used from the next connect on, without a restart.
func TestClientCertificateIsReadAtEachConnect(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	c := broker(t, kfake.TLS(ours.server(t)))
	c.TLS, c.TLSCAFile = true, ours.file
	c.TLSCertFile, c.TLSKeyFile = other.issue(t, "client")
	dialer, err := c.Dialer("test")
	require.NoError(t, err)
	ask := func() error {
		conn, err := dialer.DialContext(t.Context(), "tcp", c.Brokers[0])
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.ReadPartitions(topic)
		return err
	}
	require.Error(t, ask())

	cert, key := ours.issue(t, "client")
	require.NoError(t, os.Rename(key, c.TLSKeyFile))
	require.NoError(t, os.Rename(cert, c.TLSCertFile))
	require.NoError(t, ask())
}

func TestTLSAndLogin(t *testing.T) {
	ours := newAuthority(t)
	c := broker(t, kfake.TLS(ours.server(t)), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "sluice", "right"))
	c.TLS, c.TLSCAFile = true, ours.file
	c.TLSCertFile, c.TLSKeyFile = ours.issue(t, "client")
	c.SASLMechanism, c.SASLUsername, c.SASLPassword = "SCRAM-SHA-256", "sluice", "right"
	requireReached(t, c)
}
