package load

import "sync"

// mark is the state of one event, a set of bits. Bits are added and never removed, except by forget.
type mark byte

const (
	// maybe: a request with the event has no answer, or an answer that leaves open whether the event is stored.
	maybe mark = 1 << iota
	// acknowledged: the gateway answered 202.
	acknowledged
	// rejected: the gateway refused the event for good.
	rejected
	// stored, doubled: the verifier saw one row of the event, or more than one.
	stored
	doubled
)

// ledger holds one byte per event, by index. It grows in chunks, so a run of unknown length copies nothing. Ten million
// events take 10 MB. The zero value is ready. A ledger is safe for concurrent use.
type ledger struct {
	mu     sync.Mutex
	chunks []*[chunkEvents]mark
}

const chunkEvents = 1 << 16

// add adds bits to one event and returns its bits before.
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

// addEach adds a mark to each event under one lock. It returns how many became acknowledged, and how many rejected.
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

// get returns the bits of one event; none for an index beyond the last.
func (l *ledger) get(index int64) mark {
	l.mu.Lock()
	defer l.mu.Unlock()
	if index < 0 || index >= int64(len(l.chunks))*chunkEvents {
		return 0
	}
	return l.chunks[index/chunkEvents][index%chunkEvents]
}

// each calls fn for the events 0 to n-1.
func (l *ledger) each(n int64, fn func(index int64, m mark)) {
	for i := range n {
		fn(i, l.get(i))
	}
}

// forget removes the verifier's bits, so that it can read the rows again.
func (l *ledger) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, chunk := range l.chunks {
		for i := range chunk {
			chunk[i] &^= stored | doubled
		}
	}
}

// String returns the state's name in a ledger file.
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
