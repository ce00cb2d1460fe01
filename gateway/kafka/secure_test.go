package kafka

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"sluice/gateway/publish"
	"sluice/internal/kafkaconn"
	"sluice/internal/recordbatch/batchtest"
)

// The producer speaks TLS and logs in if the settings say so.
func TestProducerIsSecured(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(nil) // for its certificate
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(ca, text, 0o600))
	login := []kfake.Opt{kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "gateway", "secret")}
	loggedIn := kafkaconn.Config{SASLMechanism: "SCRAM-SHA-256", SASLUsername: "gateway", SASLPassword: "secret"}
	encrypted := kafkaconn.Config{TLS: true, TLSCAFile: ca}
	both := loggedIn
	both.TLS, both.TLSCAFile = true, ca
	for name, c := range map[string]struct {
		conn kafkaconn.Config
		opts []kfake.Opt
	}{
		"login": {loggedIn, login},
		"TLS":   {encrypted, []kfake.Opt{kfake.TLS(server.TLS)}},
		"both":  {both, append([]kfake.Opt{kfake.TLS(server.TLS)}, login...)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster, err := kfake.NewCluster(append(c.opts, kfake.NumBrokers(1), kfake.SeedTopics(1, "events"))...)
			require.NoError(t, err)
			defer cluster.Close()
			c.conn.Brokers, c.conn.Topic, c.conn.DeadTopic = cluster.ListenAddrs(), "events", "dead"
			p, err := New(Config{Conn: c.conn, Timeout: publish.AttemptTimeout})
			require.NoError(t, err)
			defer p.Close()
			for range 2 { // over a connection that is new, and over one that was idle
				require.NoError(t, produceSoon(t, p, batchOf(t, batchtest.Record{Value: []byte("a")})))
			}
		})
	}
}
