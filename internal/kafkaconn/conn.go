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
	// dialTimeout bounds connect, TLS and login of one connection together.
	dialTimeout = 5 * time.Second
	// connectTimeout bounds the TCP connect alone.
	connectTimeout = 3 * time.Second
	// metadataTTL bounds how long requests go to a former leader: kafka-go refreshes its metadata by a timer, not after
	// an error.
	metadataTTL = time.Second
	idleTimeout = 5 * time.Minute
)

// Transport returns a transport for kafka.Client that opens secured connections. The caller calls CloseIdleConnections
// when done.
//
// The transport's TLS and SASL fields stay empty: its Dial function does both. Each connect therefore reads the files
// again, and a login is renewed before its session ends.
func (c Config) Transport(clientID string) (*kafka.Transport, error) {
	return c.TransportOver(clientID, connect)
}

// TransportOver is Transport over TCP connections that open returns. TLS and login run over them. A caller who replaces
// the transport's Dial instead gets connections with neither.
func (c Config) TransportOver(clientID string, open Dial) (*kafka.Transport, error) {
	if _, err := c.tlsConfig(); err != nil {
		return nil, err
	}
	return &kafka.Transport{
		ClientID:    clientID,
		Dial:        c.dialOver(clientID, open),
		DialTimeout: dialTimeout,
		IdleTimeout: idleTimeout,
		MetadataTTL: metadataTTL,
	}, nil
}

// Client returns a client that sends requests to the cluster through t.
func (c Config) Client(t *kafka.Transport) *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(c.Brokers...), Transport: t}
}

// tlsConfig reads the certificate files. It returns nil if TLS is off.
func (c Config) tlsConfig() (*tls.Config, error) {
	if !c.TLS {
		return nil, nil
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

// login creates the SASL mechanism anew at each connect, because the password file may have changed.
type login struct{ Config }

// Name implements sasl.Mechanism.
func (l login) Name() string { return strings.ToUpper(l.SASLMechanism) }

// Start implements sasl.Mechanism.
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
