package consumer

import (
	"cmp"
	"slices"
)

// aborted is a transaction that was rolled back: what its producer wrote from its first record on, up to its marker, never happened.
type aborted struct {
	producer int64
	first    int64 // the offset of its first record on the partition
}

// rollbacks are the aborted transactions that a fetch's answer names, by their first offset.
type rollbacks []aborted

func (r rollbacks) sort() {
	slices.SortFunc(r, func(a, b aborted) int { return cmp.Compare(a.first, b.first) })
}

// cover says whether a batch is part of an aborted transaction. Batches come in the order of their offsets. A producer has one transaction
// at a time, so everything it wrote in one since the aborted transaction's first record is part of that, until its marker comes.
func (r rollbacks) cover(attributes int16, producer, last int64, packed []byte) bool {
	if attributes&attributeTransactional == 0 {
		return false
	}
	if attributes&attributeControl != 0 {
		if marks(packed) == markerAbort {
			r.end(producer, last)
		}
		return true
	}
	return slices.ContainsFunc(r, func(a aborted) bool { return a.producer == producer && a.first <= last })
}

// end takes the producer's oldest transaction, which a marker has ended, off the list.
func (r rollbacks) end(producer, last int64) {
	i := slices.IndexFunc(r, func(a aborted) bool { return a.producer == producer && a.first <= last })
	if i >= 0 {
		r[i].producer = ended
	}
}

// ended is no producer's id.
const ended = -1

// Kinds of control records that are told apart.
const (
	markerAbort  = 0
	markerCommit = 1
	markerOther  = -1
)

// marks says what a control batch's record says of its producer's transaction.
func marks(packed []byte) int16 {
	w := wire{b: packed}
	one := wire{b: w.take(int(w.varint()))}
	one.skip(1)
	one.varint()
	one.varint()
	key := wire{b: one.nullable()}
	key.skip(2) // version
	kind := key.int16()
	if w.bad || one.bad || key.bad || kind != markerAbort && kind != markerCommit {
		return markerOther
	}
	return kind
}
