package publish

import (
	"context"
	"sync"
	"testing"
	"time"

	"sluice/gateway/broker/brokertest"
)

// keeping is a Producer whose Produce waits for held, and not for its context.
type keeping struct {
	*brokertest.Memory
	held chan struct{}
}

func (k keeping) Produce(ctx context.Context, partition int, batch []byte) error {
	<-k.held
	return k.Memory.Produce(ctx, partition, batch)
}

// A publisher is stalled when a lane hangs for longer than any request waits.
func TestStalled(t *testing.T) {
	hold := make(chan struct{})
	letGo := sync.OnceFunc(func() { close(hold) })
	pub := publishing(t, keeping{&brokertest.Memory{}, hold}, func(c *Config) { c.StuckAfter = time.Hour })
	var occupant sync.WaitGroup
	defer occupant.Wait()
	defer letGo()
	occupant.Go(func() { _ = publishOne(pub, time.Second) })
	busy := func() (busy *lane) {
		pub.eachLane(func(l *lane) {
			if l.workingFor(time.Now()) > 0 {
				busy = l
			}
		})
		return busy
	}
	eventually(t, func() bool { return busy() != nil })
	const most = time.Minute
	for age, alive := range map[time.Duration]bool{0: true, most - time.Second: true, most + time.Second: false} {
		l := busy()
		l.work.mu.Lock()
		l.work.began = time.Now().Add(-age)
		l.work.mu.Unlock()
		if err := pub.Stalled(most); (err == nil) != alive {
			t.Errorf("after %s: %v", age, err)
		}
	}
	letGo()
	eventually(t, func() bool { return busy() == nil && pub.Stalled(most) == nil })
}
