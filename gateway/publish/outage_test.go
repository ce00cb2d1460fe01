package publish

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/gateway/broker"
	"sluice/gateway/broker/brokertest"
	"sluice/internal/testlog"
)

// An outage names what it consists of.
func TestOutageReason(t *testing.T) {
	for want, err := range map[string]error{broker.ReasonReplicas: broker.WithReason(fmt.Errorf("%w: %w: not enough replicas", broker.ErrAnswered, broker.ErrNotWritten), broker.ReasonReplicas), broker.ReasonUnreachable: brokertest.ErrDown, broker.ReasonRefused: fmt.Errorf("%w: %w: invalid record", broker.ErrAnswered, broker.ErrRefused)} {
		m := &brokertest.Memory{}
		said := &testlog.Counter{}
		inBubble(t, m, said, func(t *testing.T, pub *Publisher) {
			m.Failing(func() (bool, error) { return false, err })
			_ = publishOne(pub, 5*time.Second)
			if r := pub.outage.reason(); r != want || said.Of("kafka is away") != 1 {
				t.Errorf("%v: reason %s, said %v", err, r, said.All())
			}
		})
	}
}

// A sign of life ends an outage once. When the next batch is not taken all the same, only one that is taken ends it.
func TestSignOfLifeIsTrustedOnce(t *testing.T) {
	m := &brokertest.Memory{}
	said := &testlog.Counter{}
	inBubble(t, m, said, func(t *testing.T, pub *Publisher) {
		m.Failing(func() (bool, error) { return false, errors.New("connection reset") }) // and every id is given
		var quick int
		_ = publishOne(pub, 5*time.Second)
		for range 100 { // minutes
			var all sync.WaitGroup
			all.Go(func() { _ = publishOne(pub, 10*time.Second) }) // finds out
			synctest.Wait()
			start := time.Now()
			_ = publishOne(pub, 10*time.Second)
			if time.Since(start) == 0 {
				quick++
			}
			all.Wait()
			time.Sleep(200 * time.Millisecond) // the bubble's clock
		}
		if away, back := said.Of("kafka is away"), said.Of("kafka is back"); away > 2 || back > 1 || quick < 98 {
			t.Errorf("away %d times, back %d times; %d of 100 requests were answered at once", away, back, quick)
		}
		m.Failing(nil)
		for range 10 {
			if publishOne(pub, 10*time.Second) == nil {
				break
			}
			time.Sleep(200 * time.Millisecond) // the bubble's clock
		}
		synctest.Wait()
		if pub.outage.away(time.Now()) {
			t.Error("a batch that was taken did not end it")
		}
	})
}
