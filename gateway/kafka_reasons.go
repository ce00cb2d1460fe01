package gateway

import (
	"context"
	"errors"
	"slices"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// reasonsOfAnswers says what a broker's answer is counted as.
var reasonsOfAnswers = map[string][]kafka.Error{
	ReasonTimeout:  {kafka.RequestTimedOut},
	ReasonLeader:   {kafka.NotLeaderForPartition, kafka.LeaderNotAvailable, kafka.FencedLeaderEpoch, kafka.ReplicaNotAvailable, kafka.BrokerNotAvailable},
	ReasonReplicas: {kafka.NotEnoughReplicas, kafka.NotEnoughReplicasAfterAppend},
	ReasonTopic:    {kafka.UnknownTopicOrPartition, kafka.UnknownTopicID},
	ReasonDenied:   {kafka.TopicAuthorizationFailed, kafka.ClusterAuthorizationFailed, kafka.SASLAuthenticationFailed},
	ReasonStorage:  {kafka.KafkaStorageError},
}

// reasonOf returns the reason of an error that only kafka-go's own errors tell; "": they do not.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, protocol.ErrNoTopic), errors.Is(err, protocol.ErrNoPartition):
		return ReasonTopic
	case noLeader(err):
		return ReasonLeader
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return ReasonTimeout
	}
	for reason, codes := range reasonsOfAnswers {
		if slices.ContainsFunc(codes, func(code kafka.Error) bool { return errors.Is(err, code) }) {
			return reason
		}
	}
	return ""
}
