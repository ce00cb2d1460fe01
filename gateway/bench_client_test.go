package gateway

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// hammer sends requests one after the other over each of many connections. It counts the 202s and measures how long
// each took. It does as little as possible itself, because it shares the machine with what it measures.
type hammer struct {
	addr        string
	connections int
	requests    [][]byte      // sent in turn
	every       time.Duration // 0: as fast as answers come; else each connection sends this often, latency counts from then
}

// measured is the result of one measurement.
type measured struct {
	requests  int
	seconds   float64
	latencies []time.Duration
}

func (o measured) rate() float64 { return float64(o.requests) / o.seconds }

func (o measured) p99() time.Duration {
	if len(o.latencies) == 0 {
		return 0
	}
	slices.Sort(o.latencies)
	return o.latencies[len(o.latencies)*99/100]
}

func (h hammer) run(b *testing.B, d time.Duration) measured {
	b.Helper()
	var mu sync.Mutex
	var total measured
	var all sync.WaitGroup
	start := time.Now()
	for i := range h.connections {
		all.Go(func() {
			latencies, err := h.connection(start, d, i)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				b.Error(err)
			}
			total.latencies = append(total.latencies, latencies...)
		})
	}
	all.Wait()
	total.requests, total.seconds = len(total.latencies), time.Since(start).Seconds()
	return total
}

func (h hammer) connection(start time.Time, d time.Duration, index int) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 4<<10)
	var latencies []time.Duration
	// Connections on a schedule do not all send at the same moment.
	due := start.Add(h.every * time.Duration(index) / time.Duration(h.connections))
	for n := index; time.Since(start) < d; n++ {
		from := time.Now()
		if h.every > 0 {
			sleep(context.Background(), time.Until(due))
			from, due = due, due.Add(h.every)
		}
		if _, err := conn.Write(h.requests[n%len(h.requests)]); err != nil {
			return nil, err
		}
		if err := readAccepted(r); err != nil {
			return nil, err
		}
		latencies = append(latencies, time.Since(from))
	}
	return latencies, nil
}

// readAccepted reads one answer, which must be 202, or 200 as other protocols want it.
func readAccepted(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 202")) && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
		return fmt.Errorf("got %q", line)
	}
	length := 0
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return err
		}
		if len(line) == 2 {
			break
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return err
			}
		}
	}
	_, err = io.CopyN(io.Discard, r, int64(length))
	return err
}

// httpRequest returns a POST request as bytes.
func httpRequest(path, body, extra string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s",
		path, testKey, extra, len(body), body)
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
