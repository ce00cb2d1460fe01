package kafkaconn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

const (
	// dialTimeout bounds a connection's way to its first request: connect, TLS and login.
	dialTimeout = 5 * time.Second
	// connectTimeout bounds the TCP connect alone.
	connectTimeout = 3 * time.Second
	// metadataTTL bounds how long a moved leader is asked in vain: kafka-go refreshes by a timer, not by the error.
	metadataTTL = time.Second
	idleTimeout = 5 * time.Minute
)

// Transport carries the requests of kafka.Client. The caller closes its idle connections when done.
//
// Its TLS and SASL fields stay empty: dial does both, so that files are read again at each connect and a login is renewed before its
// session ends.
func (c Config) Transport(clientID string) (*kafka.Transport, error) {
	return c.TransportOver(clientID, connect)
}

// TransportOver is Transport for a caller that opens TCP connections in a way of its own. TLS and the login go over what open returns.
// Whoever replaces the transport's Dial loses both.
func (c Config) TransportOver(clientID string, open Open) (*kafka.Transport, error) {
	if _, err := c.tlsConfig(); err != nil {
		return nil, err
	}
	return &kafka.Transport{
		ClientID:    clientID,
		Dial:        c.dial(clientID, open),
		DialTimeout: dialTimeout,
		IdleTimeout: idleTimeout,
		MetadataTTL: metadataTTL,
	}, nil
}

// Client makes requests to the cluster over t.
func (c Config) Client(t *kafka.Transport) *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(c.Brokers...), Transport: t}
}

// tlsConfig reads the certificate files. Nil: no TLS.
func (c Config) tlsConfig() (*tls.Config, error) {
	if !c.TLS {
		return nil, nil //nolint:nilnil // nil says "no TLS"
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLSCAFile != "" {
		pem, err := os.ReadFile(c.TLSCAFile)
		if err != nil {
			return nil, fmt.Errorf("--kafka-tls-ca-file: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--kafka-tls-ca-file: %s holds no PEM certificate", c.TLSCAFile)
		}
	}
	if c.TLSCertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.TLSCertFile, c.TLSKeyFile)
		if err != nil {
			return nil, fmt.Errorf("--kafka-tls-cert-file: %w", err)
		}
		conf.Certificates = []tls.Certificate{cert}
	}
	return conf, nil
}

// login makes the real mechanism at each connect, because a password in a file may have been replaced since.
type login struct{ Config }

// Name is part of sasl.Mechanism.
func (l login) Name() string { return strings.ToUpper(l.SASLMechanism) }

// Start is part of sasl.Mechanism.
func (l login) Start(ctx context.Context) (sasl.StateMachine, []byte, error) {
	password := l.SASLPassword
	if l.SASLPasswordFile != "" {
		text, err := os.ReadFile(l.SASLPasswordFile)
		if err != nil {
			return nil, nil, fmt.Errorf("--kafka-sasl-password-file: %w", err)
		}
		password = strings.TrimRight(string(text), "\r\n")
	}
	if l.Name() == "PLAIN" {
		return plain.Mechanism{Username: l.SASLUsername, Password: password}.Start(ctx)
	}
	algorithm := scram.SHA256
	if l.Name() == "SCRAM-SHA-512" {
		algorithm = scram.SHA512
	}
	m, err := scram.Mechanism(algorithm, l.SASLUsername, password)
	if err != nil {
		return nil, nil, fmt.Errorf("kafka login: %w", err)
	}
	return m.Start(ctx)
}
