package gateway

import (
	"context"
	"errors"
	"slices"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// The reasons of sluice_gateway_publish_errors_total, and of an outage.
const (
	reasonTimeout     = "timeout"     // no answer in time, or no acknowledgement by the replicas
	reasonUnreachable = "unreachable" // no connection, or one that broke
	reasonLeader      = "leader"      // a partition has no leader, or another one than was asked
	reasonReplicas    = "min_isr"     // fewer replicas are in sync than the topic wants
	reasonTopic       = "topic"       // the topic or its partitions are not known
	reasonDenied      = "denied"      // the login failed, or has no right to write
	reasonStorage     = "storage"     // the broker cannot write to its disk
	reasonTooLarge    = "too_large"   // the batch is larger than the topic takes
	reasonRefused     = "refused"     // the topic does not take such records at all
	reasonProducerID  = "producer_id" // the producer id is gone
	reasonMetadata    = "metadata"    // the topic could not be looked up
	reasonOther       = "other"       // any other answer
)

var publishReasons = []string{
	reasonTimeout, reasonUnreachable, reasonLeader, reasonReplicas, reasonTopic, reasonDenied, reasonStorage, reasonTooLarge,
	reasonRefused, reasonProducerID, reasonMetadata, reasonOther,
}

// reasonsOfAnswers says what a broker's answer is counted as.
var reasonsOfAnswers = map[string][]kafka.Error{
	reasonTimeout:  {kafka.RequestTimedOut},
	reasonLeader:   {kafka.NotLeaderForPartition, kafka.LeaderNotAvailable, kafka.FencedLeaderEpoch, kafka.ReplicaNotAvailable, kafka.BrokerNotAvailable},
	reasonReplicas: {kafka.NotEnoughReplicas, kafka.NotEnoughReplicasAfterAppend},
	reasonTopic:    {kafka.UnknownTopicOrPartition, kafka.UnknownTopicID},
	reasonDenied:   {kafka.TopicAuthorizationFailed, kafka.ClusterAuthorizationFailed, kafka.SASLAuthenticationFailed},
	reasonStorage:  {kafka.KafkaStorageError},
}

// publishReason says what a failed attempt is counted as.
func publishReason(err error) string {
	switch {
	case errors.Is(err, ErrTooLarge):
		return reasonTooLarge
	case errors.Is(err, ErrRefused):
		return reasonRefused
	case errors.Is(err, ErrProducerID):
		return reasonProducerID
	case errors.Is(err, errNoPartitions):
		return reasonTopic
	case errors.Is(err, protocol.ErrNoTopic), errors.Is(err, protocol.ErrNoPartition):
		return reasonTopic
	case noLeader(err):
		return reasonLeader
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return reasonTimeout
	}
	for reason, codes := range reasonsOfAnswers {
		if slices.ContainsFunc(codes, func(code kafka.Error) bool { return errors.Is(err, code) }) {
			return reason
		}
	}
	if errors.Is(err, ErrAnswered) {
		return reasonOther
	}
	return reasonUnreachable
}
