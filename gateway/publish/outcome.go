package publish

import "errors"

// The outcomes of records besides nil, the broker's errors and the spool's. After ErrOverloaded and ErrAway the
// record was not kept. After any other error it may have been kept: an attempt that had no answer may have reached
// Kafka.
var (
	// ErrOverloaded means that Config.MaxInflightBytes wait for Kafka already. The record was not queued.
	ErrOverloaded = errors.New("too many bytes wait for kafka")
	// ErrAway means that Kafka is known to be away. The record was not queued.
	ErrAway = errors.New("kafka is away")
	// ErrDeadline means that Kafka did not acknowledge the record by the request's deadline.
	ErrDeadline = errors.New("kafka did not acknowledge in time")
)
