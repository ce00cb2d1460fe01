package kafka

import (
	"bytes"
	"errors"
	"testing"

	"github.com/segmentio/kafka-go"

	"sluice/gateway/broker"
)

// A batch that was revoked cannot be read, and revoke reports whether it was read before.
func TestRevocableReader(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	h := &revocableReader{batch: []byte("abc")}
	if n, err := h.WriteTo(&out); n != 7 || err != nil || out.String() != "\x00\x00\x00\x03abc" {
		t.Errorf("%d %v %q", n, err, out.String())
	}
	if !h.revoke() {
		t.Error("it was read")
	}
	out.Reset()
	h = &revocableReader{batch: []byte("abc")}
	if h.revoke() {
		t.Error("it was not read")
	}
	if n, err := h.WriteTo(&out); n != 0 || !errors.Is(err, errRevoked) || out.Len() != 0 {
		t.Errorf("%d %v %q", n, err, out.String())
	}
}

// A batch that may be on the topic is never marked as not written, and only one error is an acknowledgement.
func TestAnswered(t *testing.T) {
	t.Parallel()
	for code, want := range map[kafka.Error]error{
		kafka.MessageSizeTooLarge: broker.ErrRefused, kafka.InvalidRecord: broker.ErrRefused,
		kafka.NotEnoughReplicas: broker.ErrNotWritten, kafka.TopicAuthorizationFailed: broker.ErrNotWritten,
		kafka.OutOfOrderSequenceNumber: broker.ErrProducerID, kafka.UnknownProducerId: broker.ErrProducerID,
		kafka.ProducerFenced:        broker.ErrProducerID,
		kafka.NotLeaderForPartition: nil, kafka.RequestTimedOut: nil, kafka.NotEnoughReplicasAfterAppend: nil,
		kafka.UnknownTopicOrPartition: nil, kafka.KafkaStorageError: nil, kafka.Unknown: nil,
	} {
		err := answered(code)
		if !errors.Is(err, broker.ErrAnswered) || !errors.Is(err, code) {
			t.Errorf("%v became %v", code, err)
		}
		for _, mark := range []error{broker.ErrRefused, broker.ErrNotWritten, broker.ErrProducerID} {
			if errors.Is(err, mark) != (mark == want) { //nolint:errorlint // the marks themselves
				t.Errorf("%v: %v", code, err)
			}
		}
	}
	if err := answered(kafka.DuplicateSequenceNumber); err != nil {
		t.Errorf("a copy: %v", err)
	}
}
