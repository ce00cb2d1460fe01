package kafka

import (
	"errors"
	"fmt"
	"slices"

	"github.com/segmentio/kafka-go"

	"sluice/gateway/broker"
)

// A broker's answer to a produce request tells what became of the batch. The broker checks in this order: may the
// client write, is it the leader, are enough replicas in sync, is the batch well formed, is the sequence the next one.
// Then it appends the batch, and then it waits for the replicas. An answer that can also come from the last step leaves
// open whether the batch is on the topic: NOT_LEADER_OR_FOLLOWER, REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS_AFTER_APPEND,
// UNKNOWN_TOPIC_OR_PARTITION (the partition was moved away since), KAFKA_STORAGE_ERROR, and every answer that is not
// listed here.
var (
	answersTooLarge = []kafka.Error{kafka.MessageSizeTooLarge, kafka.RecordListTooLarge}

	answersRefused = []kafka.Error{kafka.InvalidRecord, kafka.UnsupportedForMessageFormat}

	answersProducerID = []kafka.Error{
		kafka.OutOfOrderSequenceNumber, kafka.UnknownProducerId, kafka.InvalidProducerEpoch, kafka.ProducerFenced,
		kafka.InvalidProducerIDMapping,
	}

	answersNotWritten = []kafka.Error{
		kafka.NotEnoughReplicas, kafka.InvalidMessage, kafka.InvalidTimestamp, kafka.TopicAuthorizationFailed,
		kafka.ClusterAuthorizationFailed, kafka.PolicyViolation, kafka.UnsupportedCompressionType,
		kafka.ThrottlingQuotaExceeded,
	}
)

// answered marks a broker's error with its meaning. It returns nil for an error that is an acknowledgement.
func answered(err error) error {
	is := func(code kafka.Error) bool { return errors.Is(err, code) }
	switch {
	case is(kafka.DuplicateSequenceNumber): // the broker has had the batch for long
		return nil
	case slices.ContainsFunc(answersTooLarge, is):
		err = fmt.Errorf("%w: %w", broker.ErrTooLarge, err)
	case slices.ContainsFunc(answersRefused, is):
		err = fmt.Errorf("%w: %w", broker.ErrRefused, err)
	case slices.ContainsFunc(answersProducerID, is):
		err = fmt.Errorf("%w: %w", broker.ErrProducerID, err)
	case slices.ContainsFunc(answersNotWritten, is):
		err = fmt.Errorf("%w: %w", broker.ErrNotWritten, err)
	}
	return fmt.Errorf("%w: %w", broker.ErrAnswered, err)
}
