package broker

import (
	"context"
	"errors"
	"fmt"

	"sluice/internal/recordbatch"
)

// Producer is Kafka, as far as the publisher needs it. An implementation may also be a Cluster and a Describer. All methods may
// be called concurrently.
type Producer interface {
	// Produce writes one encoded record batch to a partition of the events topic, once. It returns nil only when every
	// record of the batch is acknowledged by all in-sync replicas, by this call or by an earlier one with the same bytes. An
	// error says whether the batch may be on the topic: see the errors below; one that is none of them leaves it open. The
	// batch is not read any more once Produce has returned, also when its context ended first.
	Produce(ctx context.Context, partition int, batch []byte) error
	// NewID returns a producer id that nobody was given before.
	NewID(ctx context.Context) (recordbatch.ProducerID, error)
	// Partitions returns how many partitions the topic has now.
	Partitions(ctx context.Context) (int, error)
}

// Cluster is a Producer that knows Kafka's brokers. All methods may be called concurrently.
type Cluster interface {
	// Replicas returns who has each partition of the topic, as far as is known. It does not wait for a broker that does not
	// answer.
	Replicas(ctx context.Context) ([]Replicas, error)
	// Probe asks one broker for a sign of life.
	Probe(ctx context.Context, broker int32) error
	// Avoid names the brokers that do not answer, in place of those named before. Other brokers answer for them where any can.
	Avoid(brokers []int32)
}

// Replicas are the brokers that have a partition.
type Replicas struct {
	Leader int32   // −1: the partition has none
	InSync []int32 // −1: a replica whose broker is not known
}

// Describer is a Producer that reads how its topic is set. It may be called concurrently.
type Describer interface {
	// Describe reads the topic's settings. The error is ErrAnswered when Kafka itself refuses, as it does without the right.
	Describe(ctx context.Context) (TopicSettings, error)
}

// What an error of a Producer can be marked with, besides being an error.
var (
	// ErrRefused marks an error of Produce that sending the same batch again cannot mend. This call wrote nothing.
	ErrRefused = errors.New("kafka refuses the batch for good")
	// ErrTooLarge marks an ErrRefused that is about the batch's size: Kafka may take part of the batch.
	ErrTooLarge = fmt.Errorf("%w: too large for the topic", ErrRefused)
	// ErrNotWritten marks an error of Produce after which it is certain that this call wrote nothing.
	ErrNotWritten = errors.New("kafka did not get the batch")
	// ErrProducerID marks an error of Produce that is about the batch's producer id, epoch or sequence: Kafka takes nothing
	// more under that id. This call wrote nothing.
	ErrProducerID = errors.New("kafka does not go on with the producer id")
	// ErrAnswered marks an error of Produce, NewID or Describe that is Kafka's own answer, rather than the lack of one.
	ErrAnswered = errors.New("kafka answered")
	// ErrNoPartitions is the error while the topic's partitions are not known.
	ErrNoPartitions = errors.New("the topic's partitions are not known yet")
)
