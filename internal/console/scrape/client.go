package scrape

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/internal/console/series"
)

const (
	timeout  = 3 * time.Second
	maxBytes = 4 << 20 // of one answer; a consumer of 1,000 partitions answers 100 KB
)

// Answer is what a target answered.
type Answer struct {
	Target
	Reading series.Reading
}

// Client asks targets for their metrics.
type Client struct{ http *http.Client }

// NewClient returns a client. It keeps a connection to each target open for its next question.
func NewClient() *Client {
	transport := &http.Transport{
		DialContext:           (&net.Dialer{Timeout: timeout}).DialContext,
		MaxIdleConnsPerHost:   1,
		MaxIdleConns:          MaxTargets,
		IdleConnTimeout:       time.Minute,
		ResponseHeaderTimeout: timeout,
	}
	return &Client{http: &http.Client{Transport: transport, Timeout: timeout, CheckRedirect: noRedirect}}
}

// noRedirect keeps to the configured addresses.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Close closes the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Ask asks all targets and returns their answers in the same order, after 3 s at
// most. A target that does not answer in time, or not with metrics, has an error in its answer.
func (c *Client) Ask(ctx context.Context, targets []Target) []Answer {
	answers := make([]Answer, len(targets))
	var group errgroup.Group
	for i, t := range targets {
		group.Go(func() error {
			answers[i].Target = t
			if t.Err == nil {
				answers[i].Reading, answers[i].Err = c.ask(ctx, t.Address)
			}
			return nil
		})
	}
	_ = group.Wait() // no call returns an error
	return answers
}

func (c *Client) ask(ctx context.Context, address string) (series.Reading, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return nil, fmt.Errorf("ask for metrics: %w", err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, plain(err)
	}
	defer res.Body.Close() //nolint:errcheck // only read
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered %s to GET /metrics; is it an admin port?", res.Status)
	}
	body := &io.LimitedReader{R: res.Body, N: maxBytes + 1}
	reading, err := series.Parse(body)
	if body.N == 0 {
		return nil, fmt.Errorf("answered more than %d bytes", maxBytes)
	}
	if err != nil {
		return nil, errors.New("answered no Prometheus metrics; is it an admin port?")
	}
	return reading, nil
}

// plain returns the reason of a failed request without the URL.
func plain(err error) error {
	var failed *url.Error
	if !errors.As(err, &failed) {
		return err
	}
	if failed.Timeout() {
		return fmt.Errorf("no answer within %s", timeout)
	}
	return failed.Err
}
