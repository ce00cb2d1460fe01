package gateway

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"sluice/internal/kafkaconn"
)

// The gateway reaches a Kafka with TLS and a login, and no other way than that.
func TestSecuredConnections(t *testing.T) {
	signer := httptest.NewTLSServer(nil) // for its certificate, which is good for 127.0.0.1
	defer signer.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signer.Certificate().Raw}), 0o600))
	s := onFake(t, 1, 1, kfake.TLS(signer.TLS.Clone()), kfake.EnableSASL(), kfake.Superuser("PLAIN", "sluice", "right"))

	secured := kafkaconn.Config{
		Brokers: s.brokers, Topic: s.topic, DeadTopic: "dead",
		TLS: true, TLSCAFile: ca, SASLMechanism: "PLAIN", SASLUsername: "sluice", SASLPassword: "right",
	}
	wrong, open := secured, secured
	wrong.SASLPassword = "wrong"
	open.TLS, open.TLSCAFile, open.SASLMechanism = false, "", ""
	for name, tc := range map[string]struct {
		conn kafkaconn.Config
		good bool
	}{"as it should be": {secured, true}, "wrong password": {wrong, false}, "neither": {open, false}} {
		t.Run(name, func(t *testing.T) {
			p, err := newKafkaProducer(tc.conn)
			must(t, err)
			defer p.Close()
			if err := p.Produce(t.Context(), 0, batchOf(t, Record{Value: []byte("a")})); (err == nil) != tc.good {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Connections are looked at before a request is written; see aliveConn.
func TestConnectionsAreLookedAt(t *testing.T) {
	s := onFake(t, 1, 1)
	conn, err := s.producer().transport.Dial(t.Context(), "tcp", s.brokers[0])
	must(t, err)
	defer conn.Close()
	if _, ok := conn.(*aliveConn); !ok {
		t.Errorf("got %T", conn)
	}
}
