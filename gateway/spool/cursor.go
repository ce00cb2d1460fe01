package spool

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// cursor is how far replay has come. It belongs to whoever calls take and done.
type cursor struct {
	head    *segment // being read; nil: none
	reader  *segmentReader
	ahead   *Entry // read, and not handed out
	read    int64  // entries read from head
	pending int64  // events handed out and not done with
	end     error  // why head ended; nil: it has not
}

func (c *cursor) close() {
	if c.reader != nil {
		c.reader.close()
	}
	*c = cursor{}
}

// Take hands out the entries that come next, in the order in which they were appended: as many as fit into the bounds, and at
// least one. There are none when nothing waits. What is handed out stays in the spool until Done is called; a crash before that
// makes it come again.
func (s *Spool) Take(maxBytes, maxRecords int) ([]Entry, error) {
	c := &s.cursor
	for {
		if c.head == nil {
			if more, err := s.advance(); !more || err != nil {
				return nil, err
			}
		}
		if taken := s.gatherEntries(maxBytes, maxRecords); len(taken) > 0 {
			c.pending = 0
			for _, e := range taken {
				c.pending += int64(e.Count)
			}
			s.reach(taken[0].AcceptedAt)
			return taken, nil
		}
		if err := s.leave(); err != nil {
			return nil, err
		}
	}
}

// TakeMore hands out what follows what Take handed out last, before that is done with: Done is for both then. It gives only what
// is in the same file, which is none in the worst case.
func (s *Spool) TakeMore(maxBytes, maxRecords int) []Entry {
	c := &s.cursor
	if c.head == nil {
		return nil
	}
	taken := s.gatherEntries(maxBytes, maxRecords)
	for _, e := range taken {
		c.pending += int64(e.Count)
	}
	return taken
}

// gatherEntries reads entries of the head that fit into the bounds, at least one if there is one.
func (s *Spool) gatherEntries(maxBytes, maxRecords int) []Entry {
	c := &s.cursor
	var taken []Entry
	bytes, records := 0, 0
	for s.peek() {
		e := c.ahead
		if len(taken) > 0 && (bytes+len(e.Records) > maxBytes || records+e.Count > maxRecords) {
			break
		}
		taken = append(taken, *e)
		bytes += len(e.Records)
		records += e.Count
		c.ahead = nil
	}
	return taken
}

// Done says that Kafka has what Take handed out last.
func (s *Spool) Done() error {
	c := &s.cursor
	s.mu.Lock()
	// A write that failed can have left more in the file than was ever counted.
	c.head.events = max(0, c.head.events-c.pending)
	s.mu.Unlock()
	c.pending = 0
	if s.peek() {
		s.reach(c.ahead.AcceptedAt)
		return nil
	}
	return s.leave()
}

// advance opens the oldest file, sealing the active one if it is that. It says whether there is one.
func (s *Spool) advance() (bool, error) {
	for {
		head := s.oldest()
		if head == nil {
			return false, nil
		}
		r, err := openSegment(head)
		if err == nil {
			s.reads(head, true)
			s.cursor = cursor{head: head, reader: r}
			return true, nil
		}
		s.look()
		switch {
		case s.missed():
			return false, fmt.Errorf("read the spool: %w: %w", ErrGone, err)
		case s.oldest() == head:
			return false, fmt.Errorf("read the spool: %w", err)
		} // it was lost, and that is said: the next one
	}
}

// missed says whether the directory is missing.
func (s *Spool) missed() bool {
	s.write.Lock()
	defer s.write.Unlock()
	return s.place.gone != nil
}

func (s *Spool) oldest() *segment {
	s.write.Lock()
	defer s.write.Unlock()
	if len(s.sealed) == 0 {
		_ = s.seal() // what was acknowledged in it has been fsynced
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sealed) == 0 {
		return nil
	}
	return s.sealed[0]
}

// peek reads the next entry of the head, and says whether there is one.
func (s *Spool) peek() bool {
	c := &s.cursor
	if c.ahead != nil {
		return true
	}
	if c.end != nil {
		return false
	}
	e, err := c.reader.read()
	if err != nil {
		c.end = err
		return false
	}
	c.ahead = &e
	c.read++
	return true
}

// reach notes since when the oldest entry that is left has waited.
func (s *Spool) reach(accepted time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cursor.head.reach(accepted)
}

// leave parts with the head, which has been read to its end: Kafka has all of it, unless it is damaged.
func (s *Spool) leave() error {
	c := &s.cursor
	head, read, end := c.head, c.read, c.end
	whole := errors.Is(end, io.EOF) || errors.Is(end, errTorn)
	var err error
	switch {
	case whole && read >= head.entries:
		err = removeSegment(head)
	case whole:
		err = s.keepAside(head, fmt.Errorf("%w: %d entries of %d", end, read, head.entries))
	default:
		err = s.keepAside(head, end)
	}
	if err != nil {
		return fmt.Errorf("spool file that is done with: %w", err)
	}
	c.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = slices.DeleteFunc(s.sealed, func(seg *segment) bool { return seg == head })
	return nil
}
