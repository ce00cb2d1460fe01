package publish

import "errors"

// The outcomes of records besides the broker's errors and the spool's. After ErrDeadline the record may have been kept.
var (
	// ErrOverloaded means that Config.MaxInflightBytes wait for Kafka already. The record was not queued.
	ErrOverloaded = errors.New("too many bytes wait for kafka")
	// ErrAway means that Kafka is known to be away. The record was not queued.
	ErrAway = errors.New("kafka is away")
	// ErrDeadline means that Kafka did not acknowledge the record by the request's deadline.
	ErrDeadline = errors.New("kafka did not acknowledge in time")
)
