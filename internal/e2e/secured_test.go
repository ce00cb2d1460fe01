package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// reauth is how long a login lasts on the Kafka of TestSecuredKafka, in milliseconds.
const reauth = 6000

// TestSecuredKafka runs on an Apache Kafka of its own, with TLS and logins that last for six seconds. The consumer starts with the file
// of an authority that did not sign the broker's certificate, and is at work as soon as the file names the right one. Then events go
// through for as long as several logins last: none is refused, nobody leaves the group, and no program says a word about it.
func TestSecuredKafka(t *testing.T) {
	if !lab.apache {
		t.Skip("needs Apache Kafka: set " + kafkaSetting)
	}
	dir := t.TempDir()
	authority, keystore := certificates(t, dir, "broker")
	other, _ := certificates(t, dir, "other")
	open, secured := securedKafka(t, dir, keystore)
	before := lab.brokers
	t.Cleanup(func() { lab.brokers = before })
	lab.brokers = open
	p := newPipeline(t, 3)
	p.client() // stays with the open listener
	lab.brokers = secured
	defer func() { lab.brokers = open }() // for the account of what came of all events

	ca := filepath.Join(dir, "ca.pem")
	replace(t, ca, other)
	login := []string{"--kafka-tls", "--kafka-tls-ca-file", ca, "--kafka-sasl-mechanism", "PLAIN", "--kafka-sasl-username", "sluice", "--kafka-sasl-password", "secret"}
	c := start(t, "consumer", append(append(p.kafka(),
		"--clickhouse-dsn", p.dsn, "--kafka-group", p.name, "--admin-addr", "127.0.0.1:0", "--flush-age", "200ms"), login...)...)
	c.says(`msg="cannot join the consumer group.*authority`)
	replace(t, ca, authority)
	c.says(`msg="partitions assigned"`)
	g := p.startGateway("127.0.0.1:0", login...)
	g.says(`msg="topic found"`)
	if a := p.post("/api/v1/events", "application/json", `{"message":"the first"}`); a.status != 202 {
		t.Fatalf("answer %d (%s)", a.status, a.Code)
	}
	p.rows(1)

	// A Kafka that has just started may have refused the first producer id.
	said := map[*program]int{c: len(c.output()), g: len(g.output())}
	sent := uint64(1)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < 4*reauth*time.Millisecond; <-tick.C {
		if a := p.post("/api/v1/events", "application/json", `{"message":"x"}`); a.status != 202 {
			t.Fatalf("answer %d (%s) after %s", a.status, a.Code, time.Since(began))
		}
		sent++
	}
	p.rows(sent)
	loud := regexp.MustCompile(`(?m)^.*level=(WARN|ERROR).*$`)
	for program, before := range said {
		if lines := loud.FindAllString(program.output()[before:], -1); len(lines) > 0 {
			t.Errorf("the %s said:\n%s", program.name, strings.Join(lines, "\n"))
		}
	}
	if n := strings.Count(c.output(), `msg="partitions assigned"`); n != 1 {
		t.Errorf("%d generations", n)
	}
}

func replace(t *testing.T, file, with string) {
	t.Helper()
	text, err := os.ReadFile(with)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// certificates writes an authority, and a certificate for 127.0.0.1 that it signed, together with its key.
func certificates(t *testing.T, dir, name string) (authority, keystore string) {
	t.Helper()
	sign := func(template, parent *x509.Certificate, by *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if by == nil {
			by = key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
		if err != nil {
			t.Fatal(err)
		}
		return key, der
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name + " authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootKey, rootDER := sign(root, root, nil)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	key, der := sign(leaf, root, rootKey)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	authority, keystore = filepath.Join(dir, name+"-ca.pem"), filepath.Join(dir, name+".pem")
	both := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	for file, text := range map[string][]byte{authority: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}), keystore: both} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return authority, keystore
}

// securedKafka starts an Apache Kafka with a listener that is open and one with TLS and logins.
func securedKafka(t *testing.T, dir, keystore string) (open, secured string) {
	t.Helper()
	ports := freePorts(t, 3)
	open, secured = "127.0.0.1:"+ports[0], "127.0.0.1:"+ports[2]
	extra := filepath.Join(dir, "extra.properties")
	text := fmt.Sprintf(`listeners=PLAINTEXT://%s,CONTROLLER://127.0.0.1:%s,SECURED://%s
advertised.listeners=PLAINTEXT://%s,SECURED://%s
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL
sasl.enabled.mechanisms=PLAIN
listener.name.secured.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_sluice="secret";
connections.max.reauth.ms=%d
ssl.keystore.type=PEM
ssl.keystore.location=%s
`, open, ports[1], secured, open, secured, reauth, keystore)
	if err := os.WriteFile(extra, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "KAFKA_PORT="+ports[0], "KAFKA_CONTROLLER_PORT="+ports[1], "KAFKA_DATA_DIR="+filepath.Join(dir, "kafka"), "KAFKA_EXTRA="+extra)
	script := func(name string) ([]byte, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, filepath.Join("..", "..", "deploy", "kafka", name))
		cmd.Env = env
		log, err := os.Create(filepath.Join(dir, name+".log")) // not a pipe, which the node would keep open
		if err != nil {
			return nil, err
		}
		defer log.Close() //nolint:errcheck // read below
		cmd.Stdout, cmd.Stderr = log, log
		err = cmd.Run()
		out, _ := os.ReadFile(log.Name())
		return out, err
	}
	if text, err := script("up.sh"); err != nil {
		t.Fatalf("up.sh: %v\n%s", err, text)
	}
	t.Cleanup(func() {
		if text, err := script("down.sh"); err != nil {
			t.Errorf("down.sh: %v\n%s", err, text)
		}
	})
	return open, secured
}

// freePorts are ports that nobody listens on.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	ports := make([]string, n)
	for i := range ports {
		_, ports[i], _ = net.SplitHostPort(free(t))
	}
	return ports
}
