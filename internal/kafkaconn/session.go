package kafkaconn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
	"github.com/segmentio/kafka-go/protocol/saslauthenticate"
	"github.com/segmentio/kafka-go/protocol/saslhandshake"
	"github.com/segmentio/kafka-go/sasl"
)

// session is a connection that is logged in, and stays so: a broker with connections.max.reauth.ms closes a connection that makes a
// request after that time without a new login (KIP-368).
//
// The login is renewed between two requests, when most of the session is over, on the same connection. A session that ended while the
// connection was idle is renewed in the same way, because brokers take a new login at any time. kafka-go sends a request on a
// connection only after it has read the answer to the one before, from one goroutine at a time. So the first write after a read begins
// a request.
type session struct {
	net.Conn
	mechanism sasl.Mechanism
	clientID  string
	host      string
	port      int

	versions map[protocol.ApiKey]int16
	renew    time.Time // when to log in again; the zero time: never
	writing  bool      // a request has been begun, and nothing of its answer read
	deadline time.Time // of reads and writes; the zero time: none
}

// Write renews the login before it begins a request, if it is time to.
func (s *session) Write(b []byte) (int, error) {
	if !s.writing && !s.renew.IsZero() && time.Now().After(s.renew) {
		if err := s.logInAgain(); err != nil {
			return 0, fmt.Errorf("renew the login at %s:%d: %w", s.host, s.port, err)
		}
	}
	s.writing = true
	return s.Conn.Write(b) //nolint:wrapcheck // it is a connection
}

// Read notes that the request was sent whole.
func (s *session) Read(b []byte) (int, error) {
	s.writing = false
	return s.Conn.Read(b) //nolint:wrapcheck // it is a connection
}

// SetDeadline keeps the deadline in mind for renewals.
func (s *session) SetDeadline(t time.Time) error {
	s.deadline = t
	return s.Conn.SetDeadline(t) //nolint:wrapcheck // it is a connection
}

// logInAgain is bounded by the deadline of the request that waits for it, and by dialTimeout.
func (s *session) logInAgain() error {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	bound, _ := ctx.Deadline()
	if !s.deadline.IsZero() && s.deadline.Before(bound) {
		bound = s.deadline
	}
	if err := s.Conn.SetDeadline(bound); err != nil {
		return err //nolint:wrapcheck // the caller says what it was doing
	}
	if err := s.logIn(ctx); err != nil {
		return err
	}
	return s.Conn.SetDeadline(s.deadline) //nolint:wrapcheck // as above
}

// logIn makes the login and notes when the session has to be renewed.
func (s *session) logIn(ctx context.Context) error {
	pc := protocol.NewConn(s.Conn, s.clientID)
	if s.versions == nil { // brokers take this request before the first login and not within a later one
		if err := s.askVersions(pc); err != nil {
			return err
		}
	}
	pc.SetVersions(s.versions)
	answer, err := pc.RoundTrip(&saslhandshake.Request{Mechanism: s.mechanism.Name()})
	if err != nil {
		return err //nolint:wrapcheck // the caller says what it was doing
	}
	if code := answer.(*saslhandshake.Response).ErrorCode; code != 0 {
		return kafka.Error(code)
	}
	ctx = sasl.WithMetadata(ctx, &sasl.Metadata{Host: s.host, Port: s.port})
	lifetime, err := s.exchange(ctx, pc)
	if err != nil {
		return err
	}
	s.renew = time.Time{}
	if lifetime > 0 {
		s.renew = time.Now().Add(renewAfter(lifetime))
	}
	return nil
}

// exchange sends the mechanism's messages and returns the lifetime of the session; 0: it does not end.
func (s *session) exchange(ctx context.Context, pc *protocol.Conn) (time.Duration, error) {
	machine, message, err := s.mechanism.Start(ctx)
	if err != nil {
		return 0, err //nolint:wrapcheck // it is login's
	}
	for {
		answer, err := pc.RoundTrip(&saslauthenticate.Request{AuthBytes: message})
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // how some brokers refuse
			return 0, kafka.SASLAuthenticationFailed
		}
		if err != nil {
			return 0, err //nolint:wrapcheck // the caller says what it was doing
		}
		got := answer.(*saslauthenticate.Response)
		if got.ErrorCode != 0 {
			return 0, kafka.Error(got.ErrorCode)
		}
		done, next, err := machine.Next(ctx, got.AuthBytes)
		if err != nil {
			return 0, err //nolint:wrapcheck // as above
		}
		if done {
			return time.Duration(got.SessionLifetimeMs) * time.Millisecond, nil
		}
		message = next
	}
}

// askVersions learns which versions of requests the broker speaks.
func (s *session) askVersions(pc *protocol.Conn) error {
	answer, err := pc.RoundTrip(new(apiversions.Request))
	if err != nil {
		return err //nolint:wrapcheck // the caller says what it was doing
	}
	got := answer.(*apiversions.Response)
	if got.ErrorCode != 0 {
		return kafka.Error(got.ErrorCode)
	}
	s.versions = make(map[protocol.ApiKey]int16, len(got.ApiKeys))
	for _, k := range got.ApiKeys {
		key := protocol.ApiKey(k.ApiKey)
		s.versions[key] = key.SelectVersion(k.MinVersion, k.MaxVersion)
	}
	return nil
}

// renewAfter is 80 to 90 % of a session's lifetime, so that many connections that were opened together do not log in together.
func renewAfter(lifetime time.Duration) time.Duration {
	return lifetime*8/10 + rand.N(max(1, lifetime/10))
}
