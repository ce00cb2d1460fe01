package broker

import (
	"context"
	"errors"
)

// The reasons for which an attempt fails: the values of the label of sluice_gateway_publish_errors_total, and the reason of an
// outage.
const (
	ReasonTimeout     = "timeout"     // no answer in time, or no acknowledgement by the replicas
	ReasonUnreachable = "unreachable" // no connection, or one that broke
	ReasonLeader      = "leader"      // a partition has no leader, or another one than was asked
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
	ReasonTimeout, ReasonUnreachable, ReasonLeader, ReasonReplicas, ReasonTopic, ReasonDenied, ReasonStorage, ReasonTooLarge,
	ReasonRefused, ReasonProducerID, ReasonMetadata, ReasonOther,
}

// reasoned is an error whose reason its Producer knows.
type reasoned struct {
	error
	reason string
}

// Unwrap is part of errors.Is and errors.As.
func (r reasoned) Unwrap() error { return r.error }

// WithReason gives an error of a Producer its reason, one of Reasons, where no mark of the error tells it. Without one the
// error is returned as it is.
func WithReason(err error, reason string) error {
	if reason == "" {
		return err
	}
	return reasoned{err, reason}
}

// ReasonOf returns the reason for which an attempt failed.
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
