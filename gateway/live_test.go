package gateway

import (
	"sync"
	"testing"
	"time"
)

// TestLive: the gateway is alive while Kafka is away, and not when a lane hangs for longer than any request waits.
func TestLive(t *testing.T) {
	hold := make(chan struct{})
	letGo := sync.OnceFunc(func() { close(hold) })
	s := serve(t, func(c *Config, d *Deps) { c.RequestTimeout, d.Producer = time.Second, keeper{&memory{}, hold} })
	alone(t, s.publisher)
	var occupant sync.WaitGroup
	defer occupant.Wait()
	defer letGo()
	occupant.Go(func() { publish(s.publisher, []Record{{Value: []byte("occupant")}}, soon()) })
	busy := func() (busy *lane) {
		s.publisher.each(func(l *lane) {
			if l.standsStill(time.Now()) > 0 {
				busy = l
			}
		})
		return busy
	}
	waitUntil(t, func() bool { return busy() != nil })
	most := time.Second + laneGrace
	for age, alive := range map[time.Duration]bool{0: true, most - time.Second: true, most + time.Second: false} {
		l := busy()
		l.shift.mu.Lock()
		l.shift.began = time.Now().Add(-age)
		l.shift.mu.Unlock()
		if err := s.Live(); (err == nil) != alive {
			t.Errorf("after %s: %v", age, err)
		}
	}
	letGo()
	waitUntil(t, func() bool { return busy() == nil && s.Live() == nil })
}
