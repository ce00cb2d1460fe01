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

// session is a logged-in connection that renews its login. A broker with connections.max.reauth.ms closes a connection
// that makes a request after that time without a new login (KIP-368).
//
// The session logs in again on the same connection, between two requests, once most of its lifetime has passed. A
// broker accepts a new login at any time, so a session that ended while the connection was idle is renewed the same
// way.
//
// kafka-go uses a connection from one goroutine at a time, and sends a request only after it has read the previous
// answer. So the first Write after a Read begins a request.
type session struct {
	net.Conn
	mechanism sasl.Mechanism
	clientID  string
	host      string
	port      int

	versions map[protocol.ApiKey]int16
	renew    time.Time // time of the next login; zero: never
	writing  bool      // a request has begun and no byte of its answer was read
	deadline time.Time // of reads and writes; zero: none
}

// Write renews the login if it is due and b begins a request. Then it sends b.
func (s *session) Write(b []byte) (int, error) {
	if !s.writing && !s.renew.IsZero() && time.Now().After(s.renew) {
		if err := s.logInAgain(); err != nil {
			return 0, fmt.Errorf("renew the login at %s:%d: %w", s.host, s.port, err)
		}
	}
	s.writing = true
	return s.Conn.Write(b)
}

// Read marks the request as sent and reads a part of its answer.
func (s *session) Read(b []byte) (int, error) {
	s.writing = false
	return s.Conn.Read(b)
}

// SetDeadline remembers the deadline for renewals.
func (s *session) SetDeadline(t time.Time) error {
	s.deadline = t
	return s.Conn.SetDeadline(t)
}

// logInAgain renews the login within the deadline of the waiting request, and within dialTimeout.
func (s *session) logInAgain() error {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	bound, _ := ctx.Deadline()
	if !s.deadline.IsZero() && s.deadline.Before(bound) {
		bound = s.deadline
	}
	if err := s.Conn.SetDeadline(bound); err != nil {
		return err
	}
	if err := s.logIn(ctx); err != nil {
		return err
	}
	return s.Conn.SetDeadline(s.deadline)
}

// logIn logs in and schedules the next renewal.
func (s *session) logIn(ctx context.Context) error {
	pc := protocol.NewConn(s.Conn, s.clientID)
	if s.versions == nil { // brokers accept this request only before the first login
		if err := s.askVersions(pc); err != nil {
			return err
		}
	}
	pc.SetVersions(s.versions)
	answer, err := pc.RoundTrip(&saslhandshake.Request{Mechanism: s.mechanism.Name()})
	if err != nil {
		return err
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

// exchange exchanges the mechanism's messages and returns the session's lifetime. 0: the session never ends.
func (s *session) exchange(ctx context.Context, pc *protocol.Conn) (time.Duration, error) {
	machine, message, err := s.mechanism.Start(ctx)
	if err != nil {
		return 0, err
	}
	for {
		answer, err := pc.RoundTrip(&saslauthenticate.Request{AuthBytes: message})
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // some brokers refuse this way
			return 0, kafka.SASLAuthenticationFailed
		}
		if err != nil {
			return 0, err
		}
		got := answer.(*saslauthenticate.Response)
		if got.ErrorCode != 0 {
			return 0, kafka.Error(got.ErrorCode)
		}
		done, next, err := machine.Next(ctx, got.AuthBytes)
		if err != nil {
			return 0, err
		}
		if done {
			return time.Duration(got.SessionLifetimeMs) * time.Millisecond, nil
		}
		message = next
	}
}

// askVersions asks the broker which versions of each request it supports.
func (s *session) askVersions(pc *protocol.Conn) error {
	answer, err := pc.RoundTrip(new(apiversions.Request))
	if err != nil {
		return err
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

// renewAfter returns a random 80 to 90 % of lifetime, so that connections opened together do not all log in together.
func renewAfter(lifetime time.Duration) time.Duration {
	return lifetime*8/10 + rand.N(max(1, lifetime/10))
}
