package recordbatch

import (
	"cmp"
	"slices"

	"sluice/internal/kafkawire"
)

// Aborted is a transaction that was rolled back: what its producer wrote on the partition from an offset on, up to the transaction's
// marker, must not be read. A broker lists the aborted transactions in its answer to a fetch.
type Aborted struct {
	Producer    int64
	FirstOffset int64
}

// rollbacks are the aborted transactions of one answer.
type rollbacks []Aborted

func (r rollbacks) sort() {
	slices.SortFunc(r, func(a, b Aborted) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) })
}

// cover says whether a batch is part of an aborted transaction. Batches must come in the order of offsets. A producer has one
// transaction at a time, so everything that it writes in one, from the aborted transaction's first record to the marker, is part of that
// transaction.
func (r rollbacks) cover(h *batchHeader) bool {
	if h.attributes&attributeTransactional == 0 {
		return false
	}
	if h.attributes&attributeControl != 0 {
		if markerOf(h.packed) == markerAbort {
			r.close(h)
		}
		return true
	}
	return r.open(h) >= 0
}

// open finds the oldest aborted transaction of a batch's producer that has begun by the end of the batch; -1 if there is none.
func (r rollbacks) open(h *batchHeader) int {
	return slices.IndexFunc(r, func(a Aborted) bool { return a.Producer == h.producer && a.FirstOffset <= h.lastOffset })
}

// close takes the transaction that a marker ends off the list.
func (r rollbacks) close(h *batchHeader) {
	if i := r.open(h); i >= 0 {
		r[i].Producer = noProducer
	}
}

const noProducer = -1

// The control records that are told apart, by the type in their key.
const (
	markerAbort  = 0
	markerCommit = 1
	markerOther  = -1
)

// markerOf says what a control batch's record does to its producer's transaction.
func markerOf(packed []byte) int16 {
	w := kafkawire.Reader{Rest: packed}
	one := kafkawire.Reader{Rest: w.Bytes(int(w.Varint()))}
	one.Skip(1)
	one.Varint()
	one.Varint()
	key := kafkawire.Reader{Rest: one.VarintBytes()}
	key.Skip(2) // version
	kind := key.Int16()
	if w.Short || one.Short || key.Short || kind != markerAbort && kind != markerCommit {
		return markerOther
	}
	return kind
}
