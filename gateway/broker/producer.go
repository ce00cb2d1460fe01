package broker

import (
	"context"
	"errors"
	"fmt"

	"sluice/internal/recordbatch"
)

// Producer writes to the events topic. An implementation may also be a Cluster and a Describer. It must not queue and
// must not retry: the publisher does both. All methods may be called concurrently.
type Producer interface {
	// Produce writes one encoded record batch to a partition, once. It returns nil only when all in-sync replicas have
	// acknowledged every record of the batch, by this call or by an earlier one with the same bytes. An error says by
	// its marks whether the batch may be on the topic; an error without a mark leaves it open. Produce must not read
	// the batch after it has returned, also when ctx ended first.
	Produce(ctx context.Context, partition int, batch []byte) error
	// NewID returns a producer id that was given to nobody before.
	NewID(ctx context.Context) (recordbatch.ProducerID, error)
	// Partitions returns how many partitions the topic has now.
	Partitions(ctx context.Context) (int, error)
}

// Cluster is a Producer that knows Kafka's brokers. All methods may be called concurrently.
type Cluster interface {
	// Replicas returns the brokers of each partition, as far as they are known. It must not wait for a broker that does
	// not answer.
	Replicas(ctx context.Context) ([]Replicas, error)
	// Probe returns nil if the broker answers.
	Probe(ctx context.Context, broker int32) error
	// Avoid names the brokers that do not answer, in place of those named before. NewID and Replicas ask others if they
	// can.
	Avoid(brokers []int32)
}

// Replicas are the brokers of a partition.
type Replicas struct {
	Leader int32   // −1: the partition has none
	InSync []int32 // −1: a replica whose broker is not known
}

// Describer is a Producer that reads the topic's settings.
type Describer interface {
	// Describe reads the topic's settings. The error has the mark ErrAnswered if Kafka refuses, as it does without the
	// right to describe the topic. It may be called concurrently.
	Describe(ctx context.Context) (TopicSettings, error)
}

// The marks of a Producer's errors, for errors.Is.
var (
	// ErrRefused marks an error of Produce that comes again with the same batch. This call wrote nothing.
	ErrRefused = errors.New("kafka refuses the batch for good")
	// ErrTooLarge marks an ErrRefused that is about the batch's size: Kafka may take part of the batch.
	ErrTooLarge = fmt.Errorf("%w: too large for the topic", ErrRefused)
	// ErrNotWritten marks an error of Produce after which it is certain that this call wrote nothing.
	ErrNotWritten = errors.New("kafka did not get the batch")
	// ErrProducerID marks an error of Produce that is about the batch's producer id, epoch or sequence: Kafka takes
	// nothing more under that id. This call wrote nothing.
	ErrProducerID = errors.New("kafka does not go on with the producer id")
	// ErrAnswered marks an error that is Kafka's own answer, rather than the lack of one.
	ErrAnswered = errors.New("kafka answered")
	// ErrNoPartitions marks an error that comes while the topic's partitions are not known.
	ErrNoPartitions = errors.New("the topic's partitions are not known yet")
)
