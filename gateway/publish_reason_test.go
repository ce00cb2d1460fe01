package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

func TestPublishReasons(t *testing.T) {
	for want, failures := range map[string][]error{
		reasonTimeout:     {context.DeadlineExceeded, context.Canceled, answered(kafka.RequestTimedOut)},
		reasonUnreachable: {io.ErrUnexpectedEOF, fmt.Errorf("dial: %w", syscall.ECONNREFUSED), syscall.ECONNRESET, errDeadConn},
		reasonLeader:      {answered(kafka.NotLeaderForPartition), answered(kafka.LeaderNotAvailable), protocol.NewErrNoLeader("events", 1)},
		reasonReplicas:    {answered(kafka.NotEnoughReplicas), answered(kafka.NotEnoughReplicasAfterAppend)},
		reasonTopic:       {errNoPartitions, answered(kafka.UnknownTopicOrPartition), protocol.NewErrNoTopic("events"), protocol.NewErrNoPartition("events", 9)},
		reasonDenied:      {answered(kafka.TopicAuthorizationFailed), answered(kafka.ClusterAuthorizationFailed), kafka.SASLAuthenticationFailed},
		reasonStorage:     {answered(kafka.KafkaStorageError)},
		reasonTooLarge:    {answered(kafka.MessageSizeTooLarge), answered(kafka.RecordListTooLarge)},
		reasonRefused:     {answered(kafka.InvalidRecord), answered(kafka.UnsupportedForMessageFormat)},
		reasonProducerID:  {answered(kafka.UnknownProducerId), answered(kafka.OutOfOrderSequenceNumber)},
		reasonOther:       {answered(kafka.Unknown), answered(kafka.ThrottlingQuotaExceeded)},
	} {
		for _, err := range failures {
			if got := publishReason(fmt.Errorf("produce: %w", err)); got != want {
				t.Errorf("%v is counted as %s, not %s", err, got, want)
			}
		}
	}
	for code := kafka.Error(-1); code < 130; code++ {
		if r := publishReason(answered(code)); code != 0 && !slices.Contains(publishReasons, r) {
			t.Errorf("%v is counted as %s, which is not one of the reasons", code, r)
		}
	}
}

// Every series is there from the start: increase() does not see the first value of one that appears with it.
func TestPublishSeriesBeginAt0(t *testing.T) {
	g := serve(t)
	families, err := g.registry.Gather()
	must(t, err)
	for name, want := range map[string][]string{
		"sluice_gateway_publish_errors_total": publishReasons, "sluice_gateway_spool_errors_total": spoolReasons,
	} {
		got := []string{}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				if f.GetName() == name && m.GetCounter().GetValue() == 0 {
					got = append(got, m.GetLabel()[0].GetValue())
				}
			}
		}
		slices.Sort(got)
		if sorted := slices.Sorted(slices.Values(want)); !slices.Equal(got, sorted) {
			t.Errorf("%s: %v, want %v", name, got, sorted)
		}
	}
}

// An outage names what it consists of.
func TestOutageReason(t *testing.T) {
	for want, err := range map[string]error{reasonReplicas: answered(kafka.NotEnoughReplicas), reasonUnreachable: errDown, reasonRefused: answered(kafka.InvalidRecord)} {
		m := &memory{}
		said := &counter{}
		inBubble(t, m, said, func(t *testing.T, pub *publisher) {
			m.failing(func() (bool, error) { return false, err })
			_ = publishOne(pub, 5*time.Second)
			if r := pub.outage.reason(); r != want || said.of("kafka is away") != 1 {
				t.Errorf("%v: reason %s, said %v", err, r, said.n)
			}
		})
	}
}

// A sign of life ends an outage once. When the next batch is not taken all the same, only one that is taken ends it.
func TestSignOfLifeIsTrustedOnce(t *testing.T) {
	m := &memory{}
	said := &counter{}
	inBubble(t, m, said, func(t *testing.T, pub *publisher) {
		m.failing(func() (bool, error) { return false, errors.New("connection reset") }) // and every id is given
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
		if away, back := said.of("kafka is away"), said.of("kafka is back"); away > 2 || back > 1 || quick < 98 {
			t.Errorf("away %d times, back %d times; %d of 100 requests were answered at once", away, back, quick)
		}
		m.failing(nil)
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
