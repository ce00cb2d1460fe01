package gateway

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/gateway/broker"
	"sluice/gateway/broker/brokertest"
)

var (
	runOverload      = flag.Bool("overload", false, "run TestOverload")
	overloadCapacity = flag.Int("overload.capacity", 4<<20, "bytes a second that the slow Kafka takes")
	overloadSeconds  = flag.Int("overload.seconds", 15, "how long each measurement lasts")
)

// slowKafka takes a fixed number of bytes a second.
type slowKafka struct {
	brokertest.Memory
	perSecond int

	turn sync.Mutex
	free time.Time // when it will have taken all that came
}

func (s *slowKafka) Produce(ctx context.Context, partition int, batch []byte) error {
	s.turn.Lock()
	now := time.Now()
	if s.free.Before(now) {
		s.free = now
	}
	s.free = s.free.Add(time.Duration(len(batch)) * time.Second / time.Duration(s.perSecond))
	wait := s.free.Sub(now)
	s.turn.Unlock()
	if !sleep(ctx, wait) {
		return fmt.Errorf("%w: %w", broker.ErrNotWritten, ctx.Err())
	}
	return nil
}

// TestOverload offers as much as Kafka can take, and ten times that, on a schedule that answers do not slow down.
// Almost as much as Kafka can take must be kept, and accepted events must be answered soon.
//
//	go test ./gateway -run TestOverload -v -overload
func TestOverload(t *testing.T) {
	if !*runOverload {
		t.Skip("takes a minute and measures: add -overload")
	}
	for _, c := range []struct {
		name  string
		times float64
		wait  time.Duration
	}{
		{"1x", 0.9, time.Second},
		{"10x", 10, time.Second},
		{"10x, any wait", 10, 0}, // how it would be without the limit
	} {
		kafka := &slowKafka{perSecond: *overloadCapacity}
		s := serve(t, func(c2 *Config, d *Deps) {
			c2.MaxQueueWait, c2.RequestTimeout, c2.MaxInflightRequests = c.wait, 10*time.Second, 10_000
			c2.MaxInflightBytes, c2.MaxBodyBytes, c2.KafkaCompression = 256<<20, 256<<20, "none"
			d.Producer = kafka
		})
		lines := strings.Repeat(event200(1)+"\n", 100)
		lines = strings.ReplaceAll(lines, `"event_id":"0193b3c4-5d6e-7a7b-8c9d-000000000001",`, "") // each is its own
		size := len(lines) + 100*100                                                                // with headers, roughly
		request := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\nX-Api-Key: %s\r\nContent-Length: %d\r\n\r\n%s",
			pathBulk, testKey, len(lines), lines)
		got := offer(s, request, c.times*float64(*overloadCapacity)/float64(size), time.Duration(*overloadSeconds)*time.Second)
		capacity := float64(*overloadCapacity) / float64(size)
		t.Logf("%-14s offered %5.0f/s, kept %5.1f/s = %.2f of capacity, p50 %s, p99 %s; refused %d in p99 %s, late %d, failed %d",
			c.name, got.offered, got.kept, got.kept/capacity, got.at(got.accepted, 50), got.at(got.accepted, 99),
			len(got.refused), got.at(got.refused, 99), got.late, got.failed)
		if c.times == 10 && c.wait > 0 && got.kept < 0.9*capacity {
			t.Errorf("%s: %.2f of the capacity was kept", c.name, got.kept/capacity)
		}
		if err := s.stop(); err != nil {
			t.Log(err)
		}
	}
}

// offered is the result of a load.
type offered struct {
	offered, kept     float64 // requests a second
	accepted, refused []time.Duration
	late, failed      int // answered 503 after waiting in vain; not answered
}

func (o *offered) at(of []time.Duration, percent int) time.Duration {
	if len(of) == 0 {
		return 0
	}
	slices.Sort(of)
	return of[len(of)*percent/100].Round(time.Millisecond)
}

// offer sends requests at a rate, over as many connections as it needs.
func offer(s *served, request string, rate float64, d time.Duration) *offered {
	out := &offered{offered: rate}
	var mu sync.Mutex
	var all sync.WaitGroup
	idle := make(chan net.Conn, 20_000)
	addr := strings.TrimPrefix(s.url, "http://")
	start := time.Now()
	var kept atomic.Int64
	for n := 0; ; n++ {
		due := start.Add(time.Duration(float64(n) / rate * float64(time.Second)))
		if due.Sub(start) > d {
			break
		}
		sleep(context.Background(), time.Until(due))
		all.Go(func() {
			var conn net.Conn
			select {
			case conn = <-idle:
			default:
			}
			status, conn := post(addr, conn, request)
			took := time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case status == 202:
				out.accepted = append(out.accepted, took)
				if time.Since(start) <= d {
					kept.Add(1)
				}
			case status == 503 && took > 9*time.Second:
				out.late++
			case status == 503:
				out.refused = append(out.refused, took)
			default:
				out.failed++
			}
			if conn != nil {
				idle <- conn
			}
		})
	}
	all.Wait()
	close(idle)
	for conn := range idle {
		_ = conn.Close()
	}
	out.kept = float64(kept.Load()) / d.Seconds()
	return out
}

// post sends a request over a connection, or over a new one for nil. It returns the status, and the connection if it
// is still good.
func post(addr string, conn net.Conn, request string) (status int, again net.Conn) {
	if conn == nil {
		var err error
		if conn, err = net.Dial("tcp", addr); err != nil {
			return 0, nil
		}
	}
	if _, err := io.WriteString(conn, request); err == nil {
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if !resp.Close {
				return resp.StatusCode, conn
			}
			status = resp.StatusCode
		}
	}
	_ = conn.Close()
	return status, nil
}
