package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/segmentio/kafka-go"

	"sluice/internal/event"
	"sluice/internal/recordbatch"
)

// The headers that a dead letter has after its record's own.
const (
	headerDeadReason    = "dead-reason"
	headerDeadError     = "dead-error"
	headerDeadTopic     = "dead-topic"
	headerDeadPartition = "dead-partition"
	headerDeadOffset    = "dead-offset"
	headerDeadAt        = "dead-at"
)

const (
	// maxDeadError is how much of the error's text is kept, in bytes.
	maxDeadError = 1 << 10
	// maxDeadBatch bounds one write of dead letters, in bytes. The topic takes 4 MiB.
	maxDeadBatch = 2 << 20
	// deadLetterOverhead is a guess at a dead letter's size besides its key, value, headers and text, in bytes.
	deadLetterOverhead = 200
)

// DeadLetter is a record that cannot become a row, with what it takes to judge and to replay it.
type DeadLetter struct {
	Offset  int64
	Key     []byte
	Value   []byte
	Headers []event.Header
	Reason  event.DeadReason
	// Timestamp is the record's time in Unix milliseconds, 0 for none.
	Timestamp int64
	// Text is the error, at most 1 KiB.
	Text string
}

// NewDeadLetter copies the record, whose bytes are used again, and cuts the error's text.
func NewDeadLetter(r *recordbatch.Record, reason event.DeadReason, text string) DeadLetter {
	d := DeadLetter{
		Offset: r.Offset, Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value), Reason: reason,
		Timestamp: r.Timestamp, Text: truncate(text, maxDeadError),
	}
	for _, h := range r.Headers {
		d.Headers = append(d.Headers, event.Header{Key: h.Key, Value: bytes.Clone(h.Value)})
	}
	return d
}

// truncate returns at most a number of bytes of a text, and never part of a character.
func truncate(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for n := most; n > most-utf8.UTFMax; n-- {
		if utf8.RuneStart(text[n]) {
			return text[:n]
		}
	}
	return text[:most] // not UTF-8
}

// Size is about what the dead letter takes in memory and on the topic, in bytes.
func (d *DeadLetter) Size() int {
	n := len(d.Key) + len(d.Value) + len(d.Text) + deadLetterOverhead
	for _, h := range d.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

func (d *DeadLetter) record(topic string, partition int, at time.Time) kafka.Record {
	r := kafka.Record{}
	if d.Key != nil {
		r.Key = kafka.NewBytes(d.Key)
	}
	if d.Value != nil {
		r.Value = kafka.NewBytes(d.Value)
	}
	for _, h := range d.Headers {
		r.Headers = append(r.Headers, kafka.Header{Key: h.Key, Value: h.Value})
	}
	for _, h := range [...][2]string{
		{headerDeadReason, string(d.Reason)},
		{headerDeadError, d.Text},
		{headerDeadTopic, topic},
		{headerDeadPartition, strconv.Itoa(partition)},
		{headerDeadOffset, strconv.FormatInt(d.Offset, 10)},
		{headerDeadAt, strconv.FormatInt(at.UnixMilli(), 10)},
	} {
		r.Headers = append(r.Headers, kafka.Header{Key: h[0], Value: []byte(h[1])})
	}
	return r
}

// Write writes dead letters of a partition with acks=all. It returns nil only if all of them are acknowledged. After an
// error some may be on the topic, and the next try writes those again.
func (k *Client) Write(ctx context.Context, partition int, letters []DeadLetter) error {
	now := time.Now()
	for len(letters) > 0 {
		var records []kafka.Record
		size := 0
		for i := range letters {
			if size += letters[i].Size(); size > maxDeadBatch && i > 0 {
				break
			}
			records = append(records, letters[i].record(k.conn.Topic, partition, now))
		}
		if err := k.writeBatch(ctx, partition, records); err != nil {
			if tooLargeForTopic(err) && len(records) > 1 { // letters that fit alone need not fit together
				return k.writeHalves(ctx, partition, letters, len(records))
			}
			return fmt.Errorf("dead letters: topic %s: %w", k.conn.DeadTopic, err)
		}
		letters = letters[len(records):]
	}
	return nil
}

// writeHalves writes letters whose first n are too large for one batch.
func (k *Client) writeHalves(ctx context.Context, partition int, letters []DeadLetter, n int) error {
	for _, part := range [][]DeadLetter{letters[:n/2], letters[n/2 : n], letters[n:]} {
		if err := k.Write(ctx, partition, part); err != nil {
			return err
		}
	}
	return nil
}

func tooLargeForTopic(err error) bool {
	return errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.RecordListTooLarge)
}

func (k *Client) writeBatch(ctx context.Context, partition int, records []kafka.Record) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	meta, err := k.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{k.conn.DeadTopic}})
	if err != nil {
		return err
	}
	partitions := 0
	for _, t := range meta.Topics {
		if t.Name == k.conn.DeadTopic {
			if t.Error != nil {
				return fmt.Errorf("%w (sluice topics apply makes it)", t.Error)
			}
			partitions = len(t.Partitions)
		}
	}
	if partitions == 0 {
		return errors.New("the topic does not exist (sluice topics apply makes it)")
	}
	resp, err := k.client.Produce(ctx, &kafka.ProduceRequest{
		Topic: k.conn.DeadTopic, Partition: partition % partitions, RequiredAcks: kafka.RequireAll,
		// A record that was compressed may be many times as large as its topic takes. Compressed, it fits again.
		Compression: kafka.Zstd,
		Records:     kafka.NewRecordReader(records...),
	})
	if err != nil {
		return err
	}
	return resp.Error
}

// Hint says what to do about an error of the dead-letter topic. It is empty for errors that pass by themselves.
func Hint(err error) string {
	code, ok := errors.AsType[kafka.Error](err)
	if !ok {
		return ""
	}
	switch code {
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge:
		return "raise max.message.bytes of the dead-letter topic: `sluice topics apply` sets it to 4 MiB"
	case kafka.TopicAuthorizationFailed:
		return "the Kafka user needs WRITE and DESCRIBE on the dead-letter topic"
	case kafka.UnknownTopicOrPartition:
		return "make the dead-letter topic: `sluice topics apply` does"
	case kafka.PolicyViolation, kafka.InvalidRecord:
		return "the dead-letter topic must be plain, with cleanup.policy=delete: see `sluice topics check`"
	}
	return ""
}
