package gateway

import (
	"context"
	"fmt"
	"io"
	"slices"
	"syscall"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

func TestReasons(t *testing.T) {
	for want, failures := range map[string][]error{
		ReasonTimeout:     {context.DeadlineExceeded, context.Canceled, answered(kafka.RequestTimedOut)},
		ReasonUnreachable: {io.ErrUnexpectedEOF, fmt.Errorf("dial: %w", syscall.ECONNREFUSED), syscall.ECONNRESET, errDeadConn},
		ReasonLeader:      {answered(kafka.NotLeaderForPartition), answered(kafka.LeaderNotAvailable), protocol.NewErrNoLeader("events", 1)},
		ReasonReplicas:    {answered(kafka.NotEnoughReplicas), answered(kafka.NotEnoughReplicasAfterAppend)},
		ReasonTopic:       {ErrNoPartitions, answered(kafka.UnknownTopicOrPartition), protocol.NewErrNoTopic("events"), protocol.NewErrNoPartition("events", 9)},
		ReasonDenied:      {answered(kafka.TopicAuthorizationFailed), answered(kafka.ClusterAuthorizationFailed), kafka.SASLAuthenticationFailed},
		ReasonStorage:     {answered(kafka.KafkaStorageError)},
		ReasonTooLarge:    {answered(kafka.MessageSizeTooLarge), answered(kafka.RecordListTooLarge)},
		ReasonRefused:     {answered(kafka.InvalidRecord), answered(kafka.UnsupportedForMessageFormat)},
		ReasonProducerID:  {answered(kafka.UnknownProducerId), answered(kafka.OutOfOrderSequenceNumber)},
		ReasonOther:       {answered(kafka.Unknown), answered(kafka.ThrottlingQuotaExceeded)},
	} {
		for _, err := range failures {
			if got := ReasonOf(WithReason(fmt.Errorf("produce: %w", err), reasonOf(err))); got != want {
				t.Errorf("%v is counted as %s, not %s", err, got, want)
			}
		}
	}
	for code := kafka.Error(-1); code < 130; code++ {
		if r := ReasonOf(WithReason(answered(code), reasonOf(answered(code)))); code != 0 && !slices.Contains(Reasons, r) {
			t.Errorf("%v is counted as %s, which is not one of the reasons", code, r)
		}
	}
}
