package topics

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/kafkaconn"
	"sluice/internal/settings"
)

func TestCheckOfSettings(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string // "": no fault
	}{
		"as it is":         {func(*Config) {}, ""},
		"three copies":     {func(c *Config) { c.Replication, c.MinISR = 3, 2 }, ""},
		"no partition":     {func(c *Config) { c.Partitions = 0 }, "--partitions:"},
		"many partitions":  {func(c *Config) { c.Partitions = 10_001 }, "--partitions:"},
		"no copy":          {func(c *Config) { c.Replication = 0 }, "--replication:"},
		"many copies":      {func(c *Config) { c.Replication = 101 }, "--replication:"},
		"no copy in sync":  {func(c *Config) { c.MinISR = 0 }, "--min-isr:"},
		"more than copies": {func(c *Config) { c.MinISR = 2 }, "--min-isr:"},
		"short retention":  {func(c *Config) { c.Retention = settings.Duration(time.Minute) }, "--topic-retention:"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := layout()
			tc.change(&cfg)
			_, closeAdmin, err := New(kafkaconn.Config{Brokers: []string{"a:1"}, Topic: "a", DeadTopic: "b"}, cfg, nil)
			if tc.want == "" {
				require.NoError(t, err)
				closeAdmin()
				return
			}
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// nobody returns an address that refuses connections.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

// mute returns an address that accepts connections and never answers.
func mute(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func TestUnreachable(t *testing.T) {
	for name, tc := range map[string]struct {
		addr func(*testing.T) string
		want string
	}{
		"nobody there":  {nobody, "connection refused"},
		"nobody speaks": {mute, "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := tc.addr(t)
			for what, do := range map[string]func(*Admin) error{
				"apply":  func(a *Admin) error { return a.Apply(t.Context()) },
				"create": func(a *Admin) error { return a.Create(t.Context()) },
				"check":  func(a *Admin) error { _, err := a.Check(t.Context()); return err },
			} {
				t.Run(what, func(t *testing.T) {
					t.Parallel()
					var out bytes.Buffer
					a, closeAdmin, err := New(kafkaconn.Config{Brokers: []string{addr}, Topic: "a", DeadTopic: "b"}, layout(), &out)
					require.NoError(t, err)
					defer closeAdmin()
					start := time.Now()
					err = do(a)
					require.ErrorContains(t, err, addr)
					require.ErrorContains(t, err, tc.want)
					require.ErrorContains(t, err, "--kafka-brokers")
					require.NotContains(t, err.Error(), "\n", "said once, not once a topic")
					require.Less(t, time.Since(start), 40*time.Second, "a client without a time limit waits for ever")
					require.Empty(t, out.String())
				})
			}
		})
	}
}

func TestAskedToStop(t *testing.T) {
	c := newCluster(t)
	require.Error(t, c.admin(layout()).Apply(gone()))
}
