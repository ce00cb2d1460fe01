package backfill

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// saveEvery is the shortest time between two writes of the progress file. After a crash, the batches settled since the
// last write are sent again, which changes nothing.
const saveEvery = 500 * time.Millisecond

// frontier follows how far an input is settled without a hole. It is safe for concurrent use.
type frontier struct {
	path    string // of the progress file; "": none
	rejects *rejects
	release func() // called for each batch before which everything is settled

	mu      sync.Mutex
	state   state
	next    int64 // sequence of the first batch that is not settled
	waiting map[int64]*batch
	saved   time.Time
	listed  []Reject // the first few
}

// maxListed is how many rejected lines a report names.
const maxListed = 10

// settle records a settled batch.
func (f *frontier) settle(b *batch) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting[b.sequence] = b
	moved := false
	for {
		b, ok := f.waiting[f.next]
		if !ok {
			break
		}
		delete(f.waiting, f.next)
		f.next++
		if err := f.pass(b); err != nil {
			return err
		}
		f.release()
		moved = true
	}
	if !moved || time.Since(f.saved) < saveEvery {
		return nil
	}
	return f.save()
}

// pass moves the frontier behind a batch.
func (f *frontier) pass(b *batch) error {
	f.state.Offset, f.state.Line = b.offset, b.number
	f.state.Accepted += b.accepted
	f.state.Duplicates += b.duplicates
	f.state.Rejected += int64(len(b.rejects))
	slices.SortFunc(b.rejects, func(x, y Reject) int { return cmp.Compare(x.Line, y.Line) })
	f.listed = append(f.listed, b.rejects[:min(len(b.rejects), maxListed-len(f.listed))]...)
	return f.rejects.write(b.rejects)
}

// finish saves the last state.
func (f *frontier) finish(done bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.Done = done
	return f.save()
}

func (f *frontier) save() error {
	f.saved = time.Now()
	if err := f.rejects.sync(); err != nil {
		return err
	}
	if f.path == "" {
		return nil
	}
	if f.rejects != nil {
		f.state.RejectsBytes = f.rejects.size
	}
	return f.state.write(f.path)
}

// now returns the state and the rejects to list.
func (f *frontier) now() (state, []Reject) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state, f.listed
}
