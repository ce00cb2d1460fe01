package kafkaconn

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

// Dial opens a connection to address. It has the signature of net.Dialer.DialContext.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// connect opens a TCP connection.
func connect(ctx context.Context, network, address string) (net.Conn, error) {
	return (&net.Dialer{Timeout: connectTimeout}).DialContext(ctx, network, address)
}

// dial returns a function that opens connections with TLS up and login done, ready for requests. Each call reads the
// certificate and password files.
func (c Config) dial(clientID string) Dial { return c.dialOver(clientID, connect) }

// dialOver is dial over TCP connections that open returns.
func (c Config) dialOver(clientID string, open Dial) Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		raw, err := open(ctx, network, address)
		if err != nil {
			return nil, err
		}
		conn, err := c.secure(ctx, raw, address, clientID)
		if err != nil {
			_ = raw.Close()
			return nil, err
		}
		return conn, nil
	}
}

// secure starts TLS and logs in, if the settings ask for it. It gives up when ctx ends.
func (c Config) secure(ctx context.Context, raw net.Conn, address, clientID string) (net.Conn, error) {
	conf, err := c.tlsConfig()
	if err != nil {
		return nil, err
	}
	host, port, err := splitAddress(address)
	if err != nil {
		return nil, err
	}
	conn := raw
	if conf != nil {
		conf.ServerName = host
		client := tls.Client(raw, conf)
		if err := client.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("TLS with %s: %w", address, err)
		}
		conn = client
	}
	if c.SASLMechanism == "" {
		return conn, nil
	}
	// A deadline in the past interrupts the current read and write.
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	s := &session{Conn: conn, mechanism: login{c}, clientID: clientID, host: host, port: port}
	if err := s.logIn(ctx); err != nil {
		stop()
		return nil, fmt.Errorf("login at %s: %w", address, err)
	}
	if !stop() {
		return nil, fmt.Errorf("login at %s: %w", address, ctx.Err())
	}
	return s, nil
}

func splitAddress(address string) (host string, port int, err error) {
	host, name, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	if port, err = net.LookupPort("tcp", name); err != nil {
		return "", 0, err
	}
	return host, port, nil
}
