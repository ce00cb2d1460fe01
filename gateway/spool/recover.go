package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// recover finds the files that an earlier run left, and what waits in them. Only the last is read to its end: what the others
// must hold follows from the first entry of the next one.
func (s *Spool) recover() error {
	s.number, s.next = 1, 1
	files, err := s.list()
	if err != nil {
		return err
	}
	for i, seg := range files {
		if err := s.inspect(seg, i == len(files)-1); err != nil {
			return fmt.Errorf("%s: %w", seg.path, err)
		}
	}
	return nil
}

// list finds the files, the oldest first, and the number of the next one: higher than any that is there under any name.
func (s *Spool) list() ([]*segment, error) {
	names, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var files []*segment
	for _, name := range names { // sorted, as their numbers are
		digits, suffix, _ := strings.Cut(name.Name(), ".")
		number, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || len(digits) != segmentDigits {
			continue
		}
		s.number = max(s.number, number+1)
		switch "." + suffix {
		case segmentSuffix:
			seg := s.segment(number)
			seg.measure()
			files = append(files, seg)
		case refusedSuffix:
			if err := s.recoverRefused(s.segment(number)); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

// inspect reads a file's beginning, or all of it if it is the last.
func (s *Spool) inspect(seg *segment, last bool) error {
	r, err := openSegment(seg)
	if err != nil {
		return err
	}
	defer r.close()
	for seg.entries == 0 || last {
		e, err := r.read()
		if errors.Is(err, errEntryVersion) {
			return err
		}
		if err != nil && seg.entries == 0 {
			return s.unreadable(seg, err)
		}
		if err != nil {
			break // replay comes to this place too, and judges it
		}
		if seg.entries == 0 {
			seg.first, seg.before = e.sequence, e.before
			seg.start(&e, s.inherited(e.AcceptedAt))
			seg.until = max(seg.began, s.uptime())
			s.settle(seg)
		}
		seg.entries++
		seg.events += int64(e.Count)
		if e.sequence > 0 {
			s.next, s.before = e.sequence+1, e.before+uint64(e.Count)
		}
	}
	s.sealed = append(s.sealed, seg)
	return nil
}

// settle says how much the file before seg must hold.
func (s *Spool) settle(seg *segment) {
	if len(s.sealed) == 0 {
		return
	}
	previous := s.sealed[len(s.sealed)-1]
	if previous.first > 0 && seg.first > previous.first && seg.before > previous.before {
		previous.entries = int64(seg.first - previous.first)
		previous.events = int64(seg.before - previous.before)
	}
}

// unreadable deals with a file in which there is no entry. An empty one was just begun. In any other a crash tore the first
// write, most likely, and nothing in it was acknowledged; but what could not be read is not removed.
func (s *Spool) unreadable(seg *segment, cause error) error {
	if seg.size == 0 && errors.Is(cause, io.EOF) {
		return removeSegment(seg)
	}
	return s.keepAside(seg, cause)
}

// inherited is when an entry of an earlier run was accepted, on the spool's own clock. Only the wall clock spans two runs, and
// it may have been set meanwhile. So an entry from the future has waited since now, and one that seems older than --spool-max-age
// counts as having waited for half of it: a clock that was wrong for a while must not close the spool.
func (s *Spool) inherited(accepted time.Time) time.Duration {
	waited := max(0, s.now().Sub(accepted))
	if waited > s.maxAge {
		waited = s.maxAge / 2
	}
	return s.uptime() - waited
}
