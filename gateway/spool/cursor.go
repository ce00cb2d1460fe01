package spool

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// cursor is how far the spool has been read.
type cursor struct {
	head    *segment // the file that is being read; nil: none
	reader  *segmentReader
	ahead   *Entry // was read and not handed out
	read    int64  // entries read from head
	pending int64  // events handed out since the last Done
	end     error  // why reading head ended; nil: it has not ended
}

func (c *cursor) close() {
	if c.reader != nil {
		c.reader.close()
	}
	*c = cursor{}
}

// Take returns the next entries in the order in which they were appended: as many as fit into the bounds, and at least
// one. It returns none when nothing waits. The entries stay in the spool until Done; after a crash before Done they
// come again. Take without Done returns the entries that follow.
func (s *Spool) Take(maxBytes, maxRecords int) ([]Entry, error) {
	c := &s.cursor
	for {
		if c.head == nil {
			if more, err := s.openNext(); !more || err != nil {
				return nil, err
			}
		}
		if taken := s.readEntries(maxBytes, maxRecords); len(taken) > 0 {
			c.pending = 0
			for _, e := range taken {
				c.pending += int64(e.Count)
			}
			s.setOldest(taken[0].AcceptedAt)
			return taken, nil
		}
		if err := s.finishHead(); err != nil {
			return nil, err
		}
	}
}

// TakeMore returns the entries that follow those of the last Take, if they lie in the same file. One Done is for all of
// them.
func (s *Spool) TakeMore(maxBytes, maxRecords int) []Entry {
	c := &s.cursor
	if c.head == nil {
		return nil
	}
	taken := s.readEntries(maxBytes, maxRecords)
	for _, e := range taken {
		c.pending += int64(e.Count)
	}
	return taken
}

// readEntries reads the next entries of the head that fit into the bounds, at least one if the head has one.
func (s *Spool) readEntries(maxBytes, maxRecords int) []Entry {
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

// Done removes what Take and TakeMore returned last: Kafka has it. After an error Take tries the removal again.
func (s *Spool) Done() error {
	c := &s.cursor
	s.mu.Lock()
	// A write that failed can have left more in the file than was counted.
	c.head.events = max(0, c.head.events-c.pending)
	s.mu.Unlock()
	c.pending = 0
	if s.peek() {
		s.setOldest(c.ahead.AcceptedAt)
		return nil
	}
	return s.finishHead()
}

// openNext opens the oldest file for reading, and seals it first if it is the active one. It reports whether there is a
// file.
func (s *Spool) openNext() (bool, error) {
	for {
		head := s.oldest()
		if head == nil {
			return false, nil
		}
		r, err := openSegment(head)
		if err == nil {
			s.setReading(head, true)
			s.cursor = cursor{head: head, reader: r}
			return true, nil
		}
		s.inspectDirectory()
		switch {
		case s.isMissing():
			return false, fmt.Errorf("read the spool: %w: %w", ErrGone, err)
		case s.oldest() == head:
			return false, fmt.Errorf("read the spool: %w", err)
		} // the inspection found the file lost, and logged it: go on with the next one
	}
}

// isMissing reports whether the directory is missing.
func (s *Spool) isMissing() bool {
	s.write.Lock()
	defer s.write.Unlock()
	return s.directory.missing != nil
}

func (s *Spool) oldest() *segment {
	s.write.Lock()
	defer s.write.Unlock()
	if len(s.sealed) == 0 {
		_ = s.seal() // all entries that were acknowledged in it have been fsynced
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sealed) == 0 {
		return nil
	}
	return s.sealed[0]
}

// peek reads the next entry of the head into ahead, and reports whether there is one.
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

// setOldest notes when the oldest entry that is left in the head was accepted.
func (s *Spool) setOldest(accepted time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cursor.head.setOldest(accepted)
}

// setReading notes whether a file is being read.
func (s *Spool) setReading(seg *segment, reading bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seg.reading = reading
}

// finishHead removes the head, which has been read to its end and is on Kafka. A damaged head is kept under another
// name.
func (s *Spool) finishHead() error {
	c := &s.cursor
	head, read, end := c.head, c.read, c.end
	whole := errors.Is(end, io.EOF) || errors.Is(end, errTorn)
	var err error
	switch {
	case whole && read >= head.entries:
		err = removeSegment(head)
	case whole:
		err = s.keepDamaged(head, fmt.Errorf("%w: %d entries of %d", end, read, head.entries))
	default:
		err = s.keepDamaged(head, end)
	}
	if err != nil {
		return fmt.Errorf("remove a spool file that is on kafka: %w", err)
	}
	c.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = slices.DeleteFunc(s.sealed, func(seg *segment) bool { return seg == head })
	return nil
}
