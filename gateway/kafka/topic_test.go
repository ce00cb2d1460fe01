package kafka

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/broker"
	"sluice/gateway/kafka/kafkatest"
	"sluice/internal/recordbatch/batchtest"
)

// silent is a Producer that does not read the topic's settings.
type silent struct{ broker.Producer }

// The topic takes batches up to max.message.bytes, to the byte.
func TestTopicLimitToTheByte(t *testing.T) {
	t.Parallel()
	kafkatest.OnBoth(t, 1, func(t *testing.T, s *kafkatest.Site) {
		value := func(n int) batchtest.Record { return batchtest.Record{Value: []byte(strings.Repeat("x", n))} }
		limit := len(batchOf(t, value(200_000)))
		s.Configure("max.message.bytes", fmt.Sprint(limit))
		for name, p := range map[string]broker.Producer{
			"described": producerOf(s), "undescribed": silent{producerOf(s)},
		} {
			pub := publisherOver(t, p, "none")
			for more, want := range map[int]error{-1: nil, 0: nil, 1: broker.ErrTooLarge} {
				err := send(pub, []batchtest.Record{value(200_000 + more)}, time.Now().Add(time.Minute))[0]
				assert.ErrorIs(t, err, want, "%s, %+d bytes", name, more)
			}
			many := make([]batchtest.Record, 30)
			for i := range many {
				many[i] = value(66_000 + i)
			}
			many[7], many[8] = value(200_001), value(300_000)
			for i, err := range send(pub, many, time.Now().Add(time.Minute)) {
				if large := i == 7 || i == 8; errors.Is(err, broker.ErrTooLarge) != large || !large && err != nil {
					t.Errorf("%s, record %d: %v", name, i, err)
				}
			}
		}
	})
}

// Kafka refuses to show the topic's settings. The error counts as an answer (broker.ErrAnswered), and the publisher works without the settings.
func TestTopicNotDescribed(t *testing.T) {
	t.Parallel()
	s := kafkatest.OnFake(t, 1, 1)
	s.RefuseDescribe()
	_, err := producerOf(s).Describe(t.Context())
	require.ErrorIs(t, err, broker.ErrAnswered)
	pub := publisherOver(t, producerOf(s), "none")
	if err := send(pub, batchtest.Plain(1, 10), time.Now().Add(time.Minute))[0]; err != nil {
		t.Errorf("without the right to describe: %v", err)
	}
}
