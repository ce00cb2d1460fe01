package load

import "sync"

// mark is what is known about one event, as bits that are only ever added.
type mark byte

const (
	// maybe: a request with it went out and nothing is known, or the gateway said that it may have been kept all the same.
	maybe mark = 1 << iota
	// acknowledged: answered 202.
	acknowledged
	// rejected: refused for good.
	rejected
	// stored, doubled: the verifier saw a row of it, and more than one.
	stored
	doubled
)

// ledger has a byte an event, by index. It grows in chunks, so that a run of unknown length copies nothing; ten million
// events take 10 MB. The zero value is ready and safe for concurrent use.
type ledger struct {
	mu     sync.Mutex
	chunks []*[chunkEvents]mark
}

const chunkEvents = 1 << 16

// add adds bits to one event and returns those it had before.
func (l *ledger) add(index int64, m mark) mark {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addLocked(index, m)
}

func (l *ledger) addLocked(index int64, m mark) mark {
	for int64(len(l.chunks))*chunkEvents <= index {
		l.chunks = append(l.chunks, new([chunkEvents]mark))
	}
	p := &l.chunks[index/chunkEvents][index%chunkEvents]
	before := *p
	*p |= m
	return before
}

// addEach adds one bit set an event under one lock and returns how many were acknowledged, and rejected, for the first time.
func (l *ledger) addEach(indexes []int64, marks []mark) (newAcknowledged, newRejected int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, index := range indexes {
		news := marks[i] &^ l.addLocked(index, marks[i])
		if news&acknowledged != 0 {
			newAcknowledged++
		}
		if news&rejected != 0 {
			newRejected++
		}
	}
	return newAcknowledged, newRejected
}

// get returns the bits of one event; none for an index that was never reached.
func (l *ledger) get(index int64) mark {
	l.mu.Lock()
	defer l.mu.Unlock()
	if index < 0 || index >= int64(len(l.chunks))*chunkEvents {
		return 0
	}
	return l.chunks[index/chunkEvents][index%chunkEvents]
}

// each calls fn for every event from 0 to n-1.
func (l *ledger) each(n int64, fn func(index int64, m mark)) {
	for i := range n {
		fn(i, l.get(i))
	}
}

// forget drops what the verifier added, for another reading.
func (l *ledger) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, chunk := range l.chunks {
		for i := range chunk {
			chunk[i] &^= stored | doubled
		}
	}
}

// String is the state's name in a ledger file.
func (m mark) String() string {
	switch {
	case m&acknowledged != 0:
		return "acknowledged"
	case m&maybe != 0:
		return "ambiguous"
	case m&rejected != 0:
		return "rejected"
	default:
		return "unsent"
	}
}
