package kafka

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sluice/gateway/broker"
	"syscall"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

func TestReasons(t *testing.T) {
	for want, failures := range map[string][]error{
		broker.ReasonTimeout:     {context.DeadlineExceeded, context.Canceled, answered(kafka.RequestTimedOut)},
		broker.ReasonUnreachable: {io.ErrUnexpectedEOF, fmt.Errorf("dial: %w", syscall.ECONNREFUSED), syscall.ECONNRESET, errDeadConn},
		broker.ReasonLeader:      {answered(kafka.NotLeaderForPartition), answered(kafka.LeaderNotAvailable), protocol.NewErrNoLeader("events", 1)},
		broker.ReasonReplicas:    {answered(kafka.NotEnoughReplicas), answered(kafka.NotEnoughReplicasAfterAppend)},
		broker.ReasonTopic:       {broker.ErrNoPartitions, answered(kafka.UnknownTopicOrPartition), protocol.NewErrNoTopic("events"), protocol.NewErrNoPartition("events", 9)},
		broker.ReasonDenied:      {answered(kafka.TopicAuthorizationFailed), answered(kafka.ClusterAuthorizationFailed), kafka.SASLAuthenticationFailed},
		broker.ReasonStorage:     {answered(kafka.KafkaStorageError)},
		broker.ReasonTooLarge:    {answered(kafka.MessageSizeTooLarge), answered(kafka.RecordListTooLarge)},
		broker.ReasonRefused:     {answered(kafka.InvalidRecord), answered(kafka.UnsupportedForMessageFormat)},
		broker.ReasonProducerID:  {answered(kafka.UnknownProducerId), answered(kafka.OutOfOrderSequenceNumber)},
		broker.ReasonOther:       {answered(kafka.Unknown), answered(kafka.ThrottlingQuotaExceeded)},
	} {
		for _, err := range failures {
			if got := broker.ReasonOf(broker.WithReason(fmt.Errorf("produce: %w", err), reasonOf(err))); got != want {
				t.Errorf("%v is counted as %s, not %s", err, got, want)
			}
		}
	}
	for code := kafka.Error(-1); code < 130; code++ {
		if r := broker.ReasonOf(broker.WithReason(answered(code), reasonOf(answered(code)))); code != 0 && !slices.Contains(broker.Reasons, r) {
			t.Errorf("%v is counted as %s, which is not one of the reasons", code, r)
		}
	}
}
