package broker

import (
	"context"
	"errors"
)

// The reasons why a request to Kafka fails: the label of sluice_gateway_publish_errors_total, and the reason of an
// outage.
const (
	ReasonTimeout     = "timeout"     // no answer in time, or no acknowledgement by the replicas
	ReasonUnreachable = "unreachable" // no connection, or one that broke
	ReasonLeader      = "leader"      // a partition has no leader, or not the one that was asked
	ReasonReplicas    = "min_isr"     // fewer replicas are in sync than the topic wants
	ReasonTopic       = "topic"       // the topic or its partitions are not known
	ReasonDenied      = "denied"      // the login failed, or has no right to write
	ReasonStorage     = "storage"     // the broker cannot write to its disk
	ReasonTooLarge    = "too_large"   // the batch is larger than the topic takes
	ReasonRefused     = "refused"     // the topic does not take such records at all
	ReasonProducerID  = "producer_id" // the producer id is gone
	ReasonMetadata    = "metadata"    // the topic could not be looked up
	ReasonOther       = "other"       // any other answer
)

// Reasons are all reasons.
var Reasons = []string{
	ReasonTimeout, ReasonUnreachable, ReasonLeader, ReasonReplicas, ReasonTopic, ReasonDenied, ReasonStorage,
	ReasonTooLarge, ReasonRefused, ReasonProducerID, ReasonMetadata, ReasonOther,
}

// reasoned is an error whose Producer knows the reason.
type reasoned struct {
	error
	reason string
}

// Unwrap returns the error without its reason.
func (r reasoned) Unwrap() error { return r.error }

// WithReason gives an error one of Reasons. A reason of "" leaves the error as it is. The marks of an error go before
// its reason.
func WithReason(err error, reason string) error {
	if reason == "" {
		return err
	}
	return reasoned{err, reason}
}

// ReasonOf returns which of Reasons an error has: by its marks, or as WithReason says, or else by whether Kafka
// answered.
func ReasonOf(err error) string {
	var known reasoned
	switch {
	case errors.Is(err, ErrTooLarge):
		return ReasonTooLarge
	case errors.Is(err, ErrRefused):
		return ReasonRefused
	case errors.Is(err, ErrProducerID):
		return ReasonProducerID
	case errors.Is(err, ErrNoPartitions):
		return ReasonTopic
	case errors.As(err, &known):
		return known.reason
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return ReasonTimeout
	case errors.Is(err, ErrAnswered):
		return ReasonOther
	default:
		return ReasonUnreachable
	}
}
