package kafkaconn

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

// Open opens a TCP connection to a broker.
type Open func(ctx context.Context, network, address string) (net.Conn, error)

func connect(ctx context.Context, network, address string) (net.Conn, error) {
	return (&net.Dialer{Timeout: connectTimeout}).DialContext(ctx, network, address) //nolint:wrapcheck // names the address already
}

// dial returns a function that opens connections which are ready for requests: TLS is up and the login is done. The files with
// certificates and password are read at each call.
func (c Config) dial(clientID string, open Open) Open {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		raw, err := open(ctx, network, address)
		if err != nil {
			return nil, err //nolint:wrapcheck // names the address already
		}
		conn, err := c.secure(ctx, raw, address, clientID)
		if err != nil {
			_ = raw.Close()
			return nil, err
		}
		return conn, nil
	}
}

// secure brings up TLS and logs in, as far as the settings ask for them. It ends when ctx does.
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
	// A deadline in the past makes reads and writes under way return.
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
		return "", 0, err //nolint:wrapcheck // names the address already
	}
	if port, err = net.LookupPort("tcp", name); err != nil {
		return "", 0, err //nolint:wrapcheck // names the port already
	}
	return host, port, nil
}
