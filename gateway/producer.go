package gateway

import (
	"context"
	"errors"
	"fmt"
)

// Producer is Kafka, as far as the publisher needs it. All methods may be called concurrently.
type Producer interface {
	// Produce writes one encoded record batch to a partition of the events topic, once. It returns nil only when every
	// record of the batch is acknowledged by all in-sync replicas, by this call or by an earlier one with the same bytes. An
	// error says whether the batch may be on the topic: see the errors below; one that is none of them leaves it open. The
	// batch is not looked at any more once Produce has returned, also when its context ended first.
	Produce(ctx context.Context, partition int, batch []byte) error
	// NewID returns a producer id that nobody was given before.
	NewID(ctx context.Context) (ProducerID, error)
	// Partitions is how many partitions the topic has now.
	Partitions(ctx context.Context) (int, error)
}

// What an error of a Producer can be marked with, besides being an error.
var (
	// ErrRefused marks an error of Produce that sending the same batch again cannot mend. This call wrote nothing.
	ErrRefused = errors.New("kafka refuses the batch for good")
	// ErrTooLarge marks an ErrRefused that is about the batch's size: part of it may be taken.
	ErrTooLarge = fmt.Errorf("%w: too large for the topic", ErrRefused)
	// ErrNotWritten marks an error of Produce after which it is certain that this call wrote nothing.
	ErrNotWritten = errors.New("kafka did not get the batch")
	// ErrProducerID marks an error of Produce that is about the batch's producer id, epoch or sequence: Kafka takes nothing
	// more under that id. This call wrote nothing.
	ErrProducerID = errors.New("kafka does not go on with the producer id")
	// ErrAnswered marks an error of Produce or NewID that is Kafka's own answer, rather than the lack of one.
	ErrAnswered = errors.New("kafka answered")
)
