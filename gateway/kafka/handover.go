package kafka

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

var errTakenBack = errors.New("the batch was taken back before it was read")

// handover lends a batch's bytes to kafka-go. A request may sit in kafka-go after its context ended, and be written later,
// when the bytes hold another batch already. So the lender takes them back: from then on they cannot be read, and it is known
// whether they were, which is whether they can have reached a broker.
type handover struct {
	mu    sync.Mutex
	batch []byte
	size  [4]byte
	read  bool
}

// WriteTo copies the batch, after its size: that is how Kafka's protocol writes bytes, and kafka-go leaves it to the
// reader.
func (h *handover) WriteTo(w io.Writer) (int64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.batch == nil {
		return 0, errTakenBack
	}
	h.read = true
	binary.BigEndian.PutUint32(h.size[:], uint32(len(h.batch)))
	n, err := w.Write(h.size[:])
	if err != nil {
		return int64(n), err
	}
	m, err := w.Write(h.batch)
	return int64(n + m), err
}

// Read is part of io.Reader, which kafka-go asks for; it calls WriteTo.
func (h *handover) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }

// takeBack ends the loan and says whether the bytes were read.
func (h *handover) takeBack() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.batch = nil
	return h.read
}
