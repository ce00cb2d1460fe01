package consumer

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
)

// The headers that a dead letter has besides its record's own.
const (
	headerDeadReason    = "dead-reason"
	headerDeadError     = "dead-error"
	headerDeadTopic     = "dead-topic"
	headerDeadPartition = "dead-partition"
	headerDeadOffset    = "dead-offset"
	headerDeadAt        = "dead-at"
)

const (
	// maxDeadError is how much of the reason's text is kept, in bytes.
	maxDeadError = 1 << 10
	// maxDeadBatch bounds one write of dead letters, in bytes; the topic takes 4 MiB.
	maxDeadBatch = 2 << 20
)

// deadLetter is a record that cannot become a row, with everything needed to judge and to replay it.
type deadLetter struct {
	offset  int64
	key     []byte
	value   []byte
	headers []event.Header
	reason  event.DeadReason
	text    string
}

// newDeadLetter copies the record: its bytes are reused.
func newDeadLetter(r *record, cause error) deadLetter {
	d := deadLetter{
		offset: r.offset, key: bytes.Clone(r.key), value: bytes.Clone(r.value),
		reason: deadReason(cause), text: cut(cause.Error(), maxDeadError),
	}
	for _, h := range r.headers {
		d.headers = append(d.headers, event.Header{Key: h.Key, Value: bytes.Clone(h.Value)})
	}
	return d
}

// cut returns at most so many bytes of a text, and no part of a character.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for n := most; n > most-utf8.UTFMax; n-- {
		if utf8.RuneStart(text[n]) {
			return text[:n]
		}
	}
	return text[:most] // no characters at all
}

func (d *deadLetter) size() int {
	n := len(d.key) + len(d.value) + len(d.text) + 200
	for _, h := range d.headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

func (d *deadLetter) record(topic string, partition int, at time.Time) kafka.Record {
	r := kafka.Record{}
	if d.key != nil {
		r.Key = kafka.NewBytes(d.key)
	}
	if d.value != nil {
		r.Value = kafka.NewBytes(d.value)
	}
	for _, h := range d.headers {
		r.Headers = append(r.Headers, kafka.Header{Key: h.Key, Value: h.Value})
	}
	for _, h := range [...][2]string{
		{headerDeadReason, string(d.reason)},
		{headerDeadError, d.text},
		{headerDeadTopic, topic},
		{headerDeadPartition, strconv.Itoa(partition)},
		{headerDeadOffset, strconv.FormatInt(d.offset, 10)},
		{headerDeadAt, strconv.FormatInt(at.UnixMilli(), 10)},
	} {
		r.Headers = append(r.Headers, kafka.Header{Key: h[0], Value: []byte(h[1])})
	}
	return r
}

// bury writes dead letters with acks=all. It returns nil only when all are acknowledged; after an error some may be on the
// topic, and will be there twice when it is tried again.
func (k *cluster) bury(ctx context.Context, partition int, letters []deadLetter) error {
	now := time.Now()
	for len(letters) > 0 {
		var records []kafka.Record
		size := 0
		for i := range letters {
			if size += letters[i].size(); size > maxDeadBatch && i > 0 {
				break
			}
			records = append(records, letters[i].record(k.conn.Topic, partition, now))
		}
		if err := k.buryBatch(ctx, partition, records); err != nil {
			if tooLargeForTopic(err) && len(records) > 1 { // what fits alone need not fit together
				return k.buryHalves(ctx, partition, letters, len(records))
			}
			return fmt.Errorf("dead letters: topic %s: %w", k.conn.DeadTopic, err)
		}
		letters = letters[len(records):]
	}
	return nil
}

// buryHalves writes letters of which the first n are too large for one batch.
func (k *cluster) buryHalves(ctx context.Context, partition int, letters []deadLetter, n int) error {
	for _, part := range [][]deadLetter{letters[:n/2], letters[n/2 : n], letters[n:]} {
		if err := k.bury(ctx, partition, part); err != nil {
			return err
		}
	}
	return nil
}

func tooLargeForTopic(err error) bool {
	return errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.RecordListTooLarge)
}

func (k *cluster) buryBatch(ctx context.Context, partition int, records []kafka.Record) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	meta, err := k.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{k.conn.DeadTopic}})
	if err != nil {
		return err //nolint:wrapcheck // bury does
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
		return errors.New("the topic is not there (sluice topics apply makes it)")
	}
	resp, err := k.client.Produce(ctx, &kafka.ProduceRequest{
		Topic: k.conn.DeadTopic, Partition: partition % partitions, RequiredAcks: kafka.RequireAll,
		// A compressed record may be many times what its topic takes; it was as small as that once and becomes so again.
		Compression: kafka.Zstd,
		Records:     kafka.NewRecordReader(records...),
	})
	if err != nil {
		return err //nolint:wrapcheck // bury does
	}
	return resp.Error //nolint:wrapcheck // bury does
}

// hintKafka is about what the dead-letter topic refuses.
func hintKafka(err error) string {
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
