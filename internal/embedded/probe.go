package embedded

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// probeInterval is the pause between two probes of the engine.
	probeInterval = 25 * time.Millisecond
	// probeTimeout bounds one probe.
	probeTimeout = 2 * time.Second
)

// untilAnswers probes until the engine answers a query on its HTTP port and accepts connections on the native port, or
// ctx ends.
func untilAnswers(ctx context.Context, tcpAddr, httpAddr string) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: probeTimeout}
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		err := ask(ctx, client, httpAddr)
		if err == nil {
			err = dial(ctx, tcpAddr)
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (last: %w)", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

func ask(ctx context.Context, client *http.Client, addr string) error {
	target := url.URL{Scheme: "http", Host: addr, Path: "/", RawQuery: url.Values{"query": {"SELECT 1"}}.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return fmt.Errorf("ask engine: %w", err)
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask engine: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(io.LimitReader(res.Body, 1024))
	if err != nil {
		return fmt.Errorf("ask engine: %w", err)
	}
	if res.StatusCode != http.StatusOK || strings.TrimSpace(string(body)) != "1" {
		return fmt.Errorf("ask engine: status %d: %s", res.StatusCode, strings.TrimSpace(string(body)))
	}
	return nil
}

func dial(ctx context.Context, addr string) error {
	dialer := net.Dialer{Timeout: probeTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("native port: %w", err)
	}
	return conn.Close()
}
