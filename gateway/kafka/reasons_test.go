package kafka

import (
	"context"
	"fmt"
	"io"
	"syscall"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/stretchr/testify/assert"

	"sluice/gateway/broker"
)

// Each error is counted as its reason, and every answer of a broker as one of the reasons.
func TestReasons(t *testing.T) {
	t.Parallel()
	dial := fmt.Errorf("dial: %w", syscall.ECONNREFUSED)
	codes := func(codes ...kafka.Error) (errs []error) {
		for _, code := range codes {
			errs = append(errs, answered(code))
		}
		return errs
	}
	for want, failures := range map[string][]error{
		broker.ReasonTimeout:     append(codes(kafka.RequestTimedOut), context.DeadlineExceeded, context.Canceled),
		broker.ReasonUnreachable: {io.ErrUnexpectedEOF, dial, syscall.ECONNRESET, errDeadConn},
		broker.ReasonLeader: append(codes(kafka.NotLeaderForPartition, kafka.LeaderNotAvailable),
			protocol.NewErrNoLeader("events", 1)),
		broker.ReasonReplicas: codes(kafka.NotEnoughReplicas, kafka.NotEnoughReplicasAfterAppend),
		broker.ReasonTopic: append(codes(kafka.UnknownTopicOrPartition), broker.ErrNoPartitions,
			protocol.NewErrNoTopic("events"), protocol.NewErrNoPartition("events", 9)),
		broker.ReasonDenied: append(codes(kafka.TopicAuthorizationFailed, kafka.ClusterAuthorizationFailed),
			kafka.SASLAuthenticationFailed),
		broker.ReasonStorage:    codes(kafka.KafkaStorageError),
		broker.ReasonTooLarge:   codes(kafka.MessageSizeTooLarge, kafka.RecordListTooLarge),
		broker.ReasonRefused:    codes(kafka.InvalidRecord, kafka.UnsupportedForMessageFormat),
		broker.ReasonProducerID: codes(kafka.UnknownProducerId, kafka.OutOfOrderSequenceNumber),
		broker.ReasonOther:      codes(kafka.Unknown, kafka.ThrottlingQuotaExceeded),
	} {
		for _, err := range failures {
			assert.Equal(t, want, counted(fmt.Errorf("produce: %w", err)), "%v", err)
		}
	}
	for code := kafka.Error(-1); code < 130; code++ {
		if code != 0 {
			assert.Contains(t, broker.Reasons, counted(answered(code)), "%v", code)
		}
	}
}

// counted returns the reason that an error of Produce is counted as.
func counted(err error) string { return broker.ReasonOf(broker.WithReason(err, reasonOf(err))) }
