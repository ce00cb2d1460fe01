package kafka

import (
	"context"
	"errors"
	"slices"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"sluice/gateway/broker"
)

// reasonsOfAnswers are the reasons of a broker's answers; all other answers are broker.ReasonOther.
var reasonsOfAnswers = map[string][]kafka.Error{
	broker.ReasonTimeout: {kafka.RequestTimedOut},
	broker.ReasonLeader: {
		kafka.NotLeaderForPartition, kafka.LeaderNotAvailable, kafka.FencedLeaderEpoch, kafka.ReplicaNotAvailable,
		kafka.BrokerNotAvailable,
	},
	broker.ReasonReplicas: {kafka.NotEnoughReplicas, kafka.NotEnoughReplicasAfterAppend},
	broker.ReasonTopic:    {kafka.UnknownTopicOrPartition, kafka.UnknownTopicID},
	broker.ReasonDenied: {
		kafka.TopicAuthorizationFailed, kafka.ClusterAuthorizationFailed, kafka.SASLAuthenticationFailed,
	},
	broker.ReasonStorage: {kafka.KafkaStorageError},
}

// reasonOf returns the reason that kafka-go's own errors in err tell; "": they tell none.
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
