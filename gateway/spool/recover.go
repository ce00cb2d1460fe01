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

// recover finds the files that an earlier run left, and counts what waits in them. It reads only the last file to its
// end: the first entry of the next file tells what a file must hold.
func (s *Spool) recover() error {
	s.number, s.next = 1, 1
	files, err := s.list()
	if err != nil {
		return err
	}
	for i, seg := range files {
		if err := s.scan(seg, i == len(files)-1); err != nil {
			return fmt.Errorf("%s: %w", seg.path, err)
		}
	}
	return nil
}

// list returns the files of the queue, the oldest first, and counts those of the quarantine. It makes the number of the
// next file higher than that of any file, whatever the suffix.
func (s *Spool) list() ([]*segment, error) {
	names, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return nil, err
	}
	var files []*segment
	for _, name := range names { // sorted by name, so by number
		digits, suffix, _ := strings.Cut(name.Name(), ".")
		number, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || len(digits) != segmentDigits {
			continue
		}
		s.number = max(s.number, number+1)
		switch "." + suffix {
		case segmentSuffix:
			seg := newSegment(s.cfg.Dir, number)
			seg.measure()
			files = append(files, seg)
		case refusedSuffix:
			if err := s.recoverQuarantined(newSegment(s.cfg.Dir, number)); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

// scan reads the first entry of a file, or all entries if the file is the last, and adds the file to the sealed ones.
func (s *Spool) scan(seg *segment, last bool) error {
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
			return s.dropEmpty(seg, err)
		}
		if err != nil {
			break // Take comes to this place too, and tells a torn end from damage
		}
		if seg.entries == 0 {
			seg.first, seg.before = e.sequence, e.before
			seg.setFirst(&e, s.waitingSince(e.AcceptedAt))
			seg.lastAt = max(seg.firstAt, s.cfg.Uptime())
			s.inferCounts(seg)
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

// inferCounts works out from the counters of next how much the file before it must hold.
func (s *Spool) inferCounts(next *segment) {
	if len(s.sealed) == 0 {
		return
	}
	previous := s.sealed[len(s.sealed)-1]
	if previous.first > 0 && next.first > previous.first && next.before > previous.before {
		previous.entries = int64(next.first - previous.first)
		previous.events = int64(next.before - previous.before)
	}
}

// dropEmpty removes a file of no bytes: the earlier run had just begun it. It keeps any other file in which no entry
// can be read, under another name. Most likely a crash tore the file's first write, and nothing in it was acknowledged.
func (s *Spool) dropEmpty(seg *segment, cause error) error {
	if seg.size == 0 && errors.Is(cause, io.EOF) {
		return removeSegment(seg)
	}
	return s.keepDamaged(seg, cause)
}

// waitingSince returns when an entry of an earlier run was accepted, by Config.Uptime. Only the wall clock spans two
// runs, and somebody may have set it. An entry from the future counts as accepted now. An entry that seems older than
// MaxAge counts as having waited for half of MaxAge: a clock that was wrong for a while must not close the spool.
func (s *Spool) waitingSince(accepted time.Time) time.Duration {
	waited := max(0, s.cfg.Now().Sub(accepted))
	if waited > s.cfg.MaxAge {
		waited = s.cfg.MaxAge / 2
	}
	return s.cfg.Uptime() - waited
}
