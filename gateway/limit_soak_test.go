package gateway

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/gateway/ratelimit/redistest"
)

var limitSeconds = flag.Int("limit.seconds", 0, "how long each case of TestLimitAcrossGatewaysSoak runs; 0 skips it")

// TestLimitAcrossGatewaysSoak loads two gateways that share one limit of 6,000 events in 60 s, over HTTP and from both sides, with
// single events, bulks and atomic bulks at many times the limit, and counts what passes:
//
//	go test ./gateway -run TestLimitAcrossGatewaysSoak -limit.seconds 60 -v
//
// In T seconds 6,000 × (1 + T/60) events must pass, give or take 2 %, with the store there all the time, and also when it is
// killed after a third of the time and comes back empty after two thirds.
func TestLimitAcrossGatewaysSoak(t *testing.T) {
	if *limitSeconds == 0 {
		t.Skip("takes minutes; -limit.seconds 60 runs it")
	}
	d := time.Duration(*limitSeconds) * time.Second
	t.Run("steady", func(t *testing.T) { soak(t, d, nil) })
	t.Run("store killed", func(t *testing.T) {
		soak(t, d, func(ctx context.Context, r *redistest.Server) {
			if sleep(ctx, d/3) {
				r.Kill()
			}
			if sleep(ctx, d/3) {
				r.Start()
			}
		})
	})
}

func soak(t *testing.T, d time.Duration, disturb func(context.Context, *redistest.Server)) {
	const limit, window, tolerance = 6000, 60, 0.02
	r := redistest.StartProcess(t, "")
	var gateways []*served
	for range 2 {
		gateways = append(gateways, serve(t, withProjects(t, limited(limit, strconv.Itoa(window)+"s")), sharing(r)))
	}
	for _, g := range gateways {
		waitUntil(t, func() bool { return g.store.Gateways() == 2 })
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	loads := []*soakLoad{{url: gateways[0].url}, {url: gateways[1].url}}
	var all sync.WaitGroup
	start := time.Now()
	if disturb != nil {
		all.Go(func() { disturb(ctx, r) })
	}
	for _, load := range loads {
		for i := range 16 {
			all.Go(func() { load.connection(ctx, i) })
		}
	}
	all.Wait()
	took := time.Since(start)
	accepted, failed := int64(0), int64(0)
	for i, load := range loads {
		t.Logf("gateway %d: %d accepted, %d requests refused, %d failed, answers in %s (p50) and %s (p99)", i,
			load.accepted.Load(), load.refused.Load(), load.failed.Load(), load.quantile(50), load.quantile(99))
		accepted += load.accepted.Load()
		failed += load.failed.Load()
	}
	want := limit * (1 + took.Seconds()/window)
	off := float64(accepted)/want - 1
	t.Logf("%d events in %.2f s, the limit gives %.0f: %+.2f %%; kept: %d", accepted, took.Seconds(), want, 100*off,
		len(gateways[0].producer.Stored())+len(gateways[1].producer.Stored()))
	if failed > 0 {
		t.Errorf("%d requests were answered neither 202 nor 429", failed)
	}
	if off < -tolerance || off > tolerance {
		t.Errorf("off by %+.2f %%, allowed are %.0f %%", 100*off, 100*tolerance)
	}
}

// soakLoad is what one gateway is sent.
type soakLoad struct {
	url                       string
	accepted, refused, failed atomic.Int64

	mu    sync.Mutex
	times []time.Duration
}

func (s *soakLoad) quantile(percent int) time.Duration {
	slices.Sort(s.times)
	return s.times[(len(s.times)-1)*percent/100]
}

// connection sends a request every few milliseconds until ctx ends: mostly single events, some bulks.
func (s *soakLoad) connection(ctx context.Context, index int) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	single, bulk := `{"message":"x"}`, events(20, nil)
	for n := index; sleep(ctx, 5*time.Millisecond); n++ {
		path, body := pathEvents, single
		switch n % 16 {
		case 3:
			path, body = pathBulk, bulk
		case 11:
			path, body = pathBulk+"?atomic=true", bulk
		}
		from := time.Now()
		status, accepted, err := s.send(client, path, body)
		switch {
		case err != nil || status != 202 && status != 429:
			s.failed.Add(1)
			continue
		case status == 202:
			s.accepted.Add(int64(accepted))
		default:
			s.refused.Add(1)
		}
		s.mu.Lock()
		s.times = append(s.times, time.Since(from))
		s.mu.Unlock()
	}
}

func (s *soakLoad) send(client *http.Client, path, body string) (status, accepted int, err error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.url+path, strings.NewReader(body))
	if err != nil {
		return 0, 0, err
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	resp, err := client.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, 0, fmt.Errorf("body: %w", err)
	}
	if resp.StatusCode == 202 {
		accepted = 1
		if n := resp.Header.Get("X-Accepted-Events"); n != "" {
			if accepted, err = strconv.Atoi(n); err != nil {
				return 0, 0, err
			}
		}
	}
	return resp.StatusCode, accepted, nil
}
