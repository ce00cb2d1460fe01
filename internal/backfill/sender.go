package backfill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"sluice/internal/backoff"
)

// sender sends batches to one gateway. It is safe for concurrent use.
type sender struct {
	target Target
	url    string
	client *http.Client
	note   func(format string, args ...any)

	mu       sync.Mutex
	opens    time.Time // no request before: the gateway asked for it
	progress time.Time // of the last acknowledgement
	answered bool      // the gateway answered at least once
	noted    bool
	due      time.Time // of the next event with Target.Rate
}

func newSender(t Target, note func(format string, args ...any)) *sender {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // documented
	transport.MaxIdleConnsPerHost = t.Connections
	transport.MaxIdleConns = t.Connections
	transport.ForceAttemptHTTP2 = false
	return &sender{
		target: t, url: strings.TrimSuffix(t.URL, "/") + "/api/v1/events/bulk", note: note,
		client:   &http.Client{Transport: transport, Timeout: t.Timeout},
		progress: time.Now(),
	}
}

func (s *sender) close() { s.client.CloseIdleConnections() }

// errStopped: the caller's context ended before the batch was settled.
var errStopped = errors.New("stopped")

// send returns once each event of the batch is acknowledged or refused for good. An error means that the batch is not
// settled, and that no other batch would be.
func (s *sender) send(ctx context.Context, b *batch) error { return s.sendEvents(ctx, b, b.events) }

func (s *sender) sendEvents(ctx context.Context, b *batch, pending []entry) error {
	var wait backoff.Backoff
	for len(pending) > 0 {
		if err := s.pass(ctx, len(pending)); err != nil {
			return err
		}
		got, err := s.post(ctx, b.key, pending)
		if ctx.Err() != nil && err != nil {
			return errStopped
		}
		if err != nil {
			if err := s.unanswered(err); err != nil {
				return err
			}
			if !wait.WaitAtMost(ctx, 2*time.Second) {
				return errStopped
			}
			continue
		}
		again, err := s.judge(b, pending, got)
		if errors.Is(err, errSplit) {
			half := len(pending) / 2
			if err := s.sendEvents(ctx, b, pending[:half]); err != nil {
				return err
			}
			pending = pending[half:]
			continue
		}
		if err != nil {
			return err
		}
		if len(again) < len(pending) {
			wait = backoff.Backoff{}
			s.advanced()
		}
		pending = again
		if len(pending) == 0 {
			return nil
		}
		if err := s.exhausted(got.explain()); err != nil {
			return err
		}
		if got.retryAfter > 0 {
			s.hold(got.retryAfter)
		} else if !wait.WaitAtMost(ctx, 2*time.Second) {
			return errStopped
		}
	}
	return nil
}

// post sends the events as one bulk.
func (s *sender) post(ctx context.Context, key string, events []entry) (answer, error) {
	body := bulkBody(events)
	encoding := ""
	if s.target.Gzip {
		var packed bytes.Buffer
		zip, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed) // fails only for an invalid level
		_, _ = zip.Write(body)                                 // a bytes.Buffer does not fail
		_ = zip.Close()
		body, encoding = packed.Bytes(), "gzip"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return answer{}, fmt.Errorf("--url: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+s.target.Key)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "sluice-load")
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("send: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("read the answer: %w", err)
	}
	s.mu.Lock()
	s.answered = true
	s.mu.Unlock()
	return readAnswer(resp.StatusCode, resp.Header.Get("Retry-After"), text), nil
}

func bulkBody(events []entry) []byte {
	size := 2
	for _, e := range events {
		size += len(e.data) + 1
	}
	body := append(make([]byte, 0, size), '[')
	for i, e := range events {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, e.data...)
	}
	return append(body, ']')
}

// maxPause bounds the wait for a single Retry-After.
const maxPause = 5 * time.Minute

// hold makes all requests wait, because the gateway asks the whole client to.
func (s *sender) hold(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if until := time.Now().Add(min(d, maxPause)); until.After(s.opens) {
		s.opens = until
	}
	if s.opens.After(s.progress) {
		s.progress = s.opens // waiting as asked is not silence
	}
}

// pass waits until the gateway wants requests again and the rate allows these events.
func (s *sender) pass(ctx context.Context, events int) error {
	for {
		s.mu.Lock()
		left := time.Until(s.opens)
		if left <= 0 && s.target.Rate > 0 {
			now := time.Now()
			if s.due.Before(now) {
				s.due = now
			}
			left = s.due.Sub(now)
			if left <= 0 {
				s.due = s.due.Add(time.Duration(float64(events) / s.target.Rate * float64(time.Second)))
			}
		}
		s.mu.Unlock()
		if left <= 0 {
			if ctx.Err() != nil {
				return errStopped
			}
			return nil
		}
		if !backoff.Sleep(ctx, left) {
			return errStopped
		}
	}
}

func (s *sender) advanced() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.After(s.progress) {
		s.progress = now
	}
}

// exhausted returns an error if nothing was acknowledged for too long.
func (s *sender) exhausted(why string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.progress) > s.target.GiveUp {
		return fmt.Errorf("the gateway acknowledged nothing for %v (%s): run the same command again to continue",
			s.target.GiveUp, why)
	}
	return nil
}

// unanswered handles a request without an answer. It returns an error if the gateway never answered for too long.
func (s *sender) unanswered(err error) error {
	s.mu.Lock()
	answered, since, first := s.answered, s.progress, !s.noted
	s.noted = true
	s.mu.Unlock()
	if !answered && time.Since(since) > s.target.Connect {
		return fmt.Errorf("no gateway at %s: %w", s.target.URL, err)
	}
	if first {
		s.note("waiting for %s: %v", s.target.URL, err)
	}
	return s.exhausted(err.Error())
}

// retryAfter parses the header in seconds, the only form that a gateway sends.
func retryAfter(value string) time.Duration {
	seconds, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
