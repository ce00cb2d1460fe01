package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// sender are clients that send single events as fast as their pause allows, each with an id, and send again what was not
// answered 202. They keep a ledger of what was acknowledged.
type sender struct {
	p        *pipeline
	url      string
	key      atomic.Value // string
	accepted atomic.Int64
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu    sync.Mutex
	acked map[uuid.UUID]bool
	open  map[uuid.UUID]bool // sent and never acknowledged
	gaps  []time.Duration    // the longest time without a 202 of each client
	times []time.Time        // of the 202s
	other map[string]int
}

// senderPause is how long a client waits after an answer.
const senderPause = 20 * time.Millisecond

// send starts clients, which send until stop.
func (p *pipeline) send(clients int) *sender {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &sender{
		p: p, url: p.url, cancel: cancel, acked: map[uuid.UUID]bool{}, open: map[uuid.UUID]bool{}, gaps: make([]time.Duration, clients), other: map[string]int{},
	}
	s.use(key)
	p.t.Cleanup(s.stop)
	for i := range clients {
		s.running.Go(func() { s.client(ctx, i) })
	}
	return s
}

// use gives the clients another key.
func (s *sender) use(key string) { s.key.Store(key) }

// stop ends the clients after the request that each is at.
func (s *sender) stop() {
	s.cancel()
	s.running.Wait()
}

func (s *sender) client(ctx context.Context, n int) {
	transport := &http.Transport{MaxIdleConns: 1, MaxConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	last := time.Now()
	tick := time.NewTicker(senderPause)
	defer tick.Stop()
	for ctx.Err() == nil {
		id := uuid.Must(uuid.NewV7())
		for ctx.Err() == nil && !s.try(client, id) {
			<-tick.C
		}
		s.mu.Lock()
		s.gaps[n] = max(s.gaps[n], time.Since(last))
		s.mu.Unlock()
		last = time.Now()
		<-tick.C
	}
}

// try sends an event once and reports whether it was acknowledged.
func (s *sender) try(client *http.Client, id uuid.UUID) bool {
	body := fmt.Sprintf(`{"event_id":%q,"message":"one of many"}`, id)
	req, err := http.NewRequest(http.MethodPost, s.url+"/api/v1/events", strings.NewReader(body)) // the client has a timeout
	if err != nil {
		return false
	}
	req.Header.Set("Authorization", "Bearer "+s.key.Load().(string))
	req.Header.Set("Content-Type", "application/json")
	status := "no answer"
	if resp, err := client.Do(req); err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		status = resp.Status
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.HasPrefix(status, "202") {
		s.open[id] = true
		s.other[status]++
		return false
	}
	delete(s.open, id)
	s.acked[id] = true
	s.times = append(s.times, time.Now())
	s.accepted.Add(1)
	return true
}

// quiet is the longest time between two 202s of any clients, and longest that of one client.
func (s *sender) quiet() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var most time.Duration
	for i := 1; i < len(s.times); i++ {
		most = max(most, s.times[i].Sub(s.times[i-1]))
	}
	return most.Round(10 * time.Millisecond)
}

func (s *sender) longest() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var most time.Duration
	for _, g := range s.gaps {
		most = max(most, g)
	}
	return most.Round(10 * time.Millisecond)
}

// others counts the answers that were not 202.
func (s *sender) others() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.other
}

// verify compares the ledger with the rows: each acknowledged event is one row, and each row was sent.
func (s *sender) verify() {
	s.p.t.Helper()
	rows, err := s.p.db.Query(context.Background(), "SELECT event_id FROM events")
	if err != nil {
		s.p.t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // read to its end
	stored := map[uuid.UUID]int{}
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			s.p.t.Fatal(err)
		}
		stored[id]++
	}
	var lost, doubled, foreign int
	for id := range s.acked {
		if stored[id] == 0 {
			lost++
		}
	}
	for id, n := range stored {
		if n > 1 {
			doubled++
		}
		if !s.acked[id] && !s.open[id] {
			foreign++
		}
	}
	if lost+doubled+foreign > 0 {
		s.p.t.Errorf("%d acknowledged: %d lost, %d doubled, %d foreign", len(s.acked), lost, doubled, foreign)
	}
}
