package kafka

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

var errRevoked = errors.New("the batch was revoked before it was read")

// revocableReader lends a batch's bytes to kafka-go. kafka-go may still hold a request after the request's context has
// ended, and write it later, when the bytes are another batch already. So the lender revokes the bytes: from then on
// they cannot be read. It also learns whether they were read, which is whether they can have reached a broker.
type revocableReader struct {
	mu    sync.Mutex
	batch []byte
	size  [4]byte
	read  bool
}

// WriteTo writes the batch behind its size: Kafka's protocol writes bytes so, and kafka-go leaves it to the reader.
func (r *revocableReader) WriteTo(w io.Writer) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.batch == nil {
		return 0, errRevoked
	}
	r.read = true
	binary.BigEndian.PutUint32(r.size[:], uint32(len(r.batch)))
	n, err := w.Write(r.size[:])
	if err != nil {
		return int64(n), err
	}
	m, err := w.Write(r.batch)
	return int64(n + m), err
}

// Read is part of io.Reader, which kafka-go asks for. kafka-go calls WriteTo.
func (r *revocableReader) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }

// revoke ends the loan, and reports whether the bytes were read.
func (r *revocableReader) revoke() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batch = nil
	return r.read
}
