package kafka

import (
	"context"
	"errors"
	"slices"
	"sluice/gateway/broker"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// reasonsOfAnswers says what a broker's answer is counted as.
var reasonsOfAnswers = map[string][]kafka.Error{
	broker.ReasonTimeout:  {kafka.RequestTimedOut},
	broker.ReasonLeader:   {kafka.NotLeaderForPartition, kafka.LeaderNotAvailable, kafka.FencedLeaderEpoch, kafka.ReplicaNotAvailable, kafka.BrokerNotAvailable},
	broker.ReasonReplicas: {kafka.NotEnoughReplicas, kafka.NotEnoughReplicasAfterAppend},
	broker.ReasonTopic:    {kafka.UnknownTopicOrPartition, kafka.UnknownTopicID},
	broker.ReasonDenied:   {kafka.TopicAuthorizationFailed, kafka.ClusterAuthorizationFailed, kafka.SASLAuthenticationFailed},
	broker.ReasonStorage:  {kafka.KafkaStorageError},
}

// reasonOf returns the reason of an error that only kafka-go's own errors tell; "": they do not.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, protocol.ErrNoTopic), errors.Is(err, protocol.ErrNoPartition):
		return broker.ReasonTopic
	case noLeader(err):
		return broker.ReasonLeader
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return broker.ReasonTimeout
	}
	for reason, codes := range reasonsOfAnswers {
		if slices.ContainsFunc(codes, func(code kafka.Error) bool { return errors.Is(err, code) }) {
			return reason
		}
	}
	return ""
}
