package spool

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2/record"
)

// The names of files in the spool's directory: a number of 20 digits and one of these.
const (
	segmentSuffix = ".spool"
	segmentDigits = 20
	// damagedSuffix marks a file of which less could be read than was written to it. It is kept.
	damagedSuffix = ".damaged"
	// refusedSuffix marks a file with one entry that Kafka refused for good. It is kept.
	refusedSuffix = ".refused"
)

// segment is a file of the spool.
type segment struct {
	number  uint64
	path    string
	size    int64         // on the disk, in bytes
	first   uint64        // sequence of its first entry; 0: none yet
	before  uint64        // events before its first entry
	entries int64         // that were acknowledged in it
	events  int64         // that wait in it
	begun   time.Time     // when its first entry was accepted, by the wall clock
	began   time.Duration // the same on the spool's own clock; negative: before this run
	since   time.Duration // since when the oldest event that is left has waited, on that clock
	until   time.Duration // when its last entry was accepted, on that clock
	info    os.FileInfo   // which file it is; nil: not known
	written int64         // bytes of acknowledged entries on the disk, as the file system says
	reading bool          // replay has it open
	mark    uint32        // CRC-32 of its first entry: what tells it from another spool\'s file of that name
}

// start notes the first entry of the segment, and when it was accepted on the spool's own clock.
func (seg *segment) start(e *Entry, at time.Duration) {
	seg.mark = crc32.ChecksumIEEE(e.Records)
	seg.begun, seg.began, seg.since, seg.until = e.AcceptedAt, at, at, at
}

// reach notes that the oldest entry left was accepted at a time of the wall clock. What that is on the spool's own clock lies
// between the entry before it and the last of the file, whatever the wall clock did meanwhile.
func (seg *segment) reach(accepted time.Time) {
	seg.since = min(max(seg.began+accepted.Sub(seg.begun), seg.since), max(seg.until, seg.since))
}

func (s *Spool) segment(number uint64) *segment {
	return &segment{number: number, path: filepath.Join(s.dir, fmt.Sprintf("%0*d", segmentDigits, number)+segmentSuffix)}
}

// measure reads the size of a file that is not written any more.
func (seg *segment) measure() {
	if info, err := os.Lstat(seg.path); err == nil && (seg.info == nil || os.SameFile(info, seg.info)) {
		seg.size, seg.info = info.Size(), info
	}
}

// logNumber is what the log puts into every block. It is for files that are written again, and the spool's are not.
const logNumber = 1

func createSegment(path string) (io.WriteCloser, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the operator's own directory
}

func removeSegment(seg *segment) error {
	if err := os.Remove(seg.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := syncDir(filepath.Dir(seg.path)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // a directory that is not there has nothing to make durable
	}
	return nil
}

// segmentReader reads the entries of a file that is not written any more.
type segmentReader struct {
	file    *os.File
	records *record.Reader
	buf     bytes.Buffer
}

func openSegment(seg *segment) (*segmentReader, error) {
	file, err := os.Open(seg.path)
	if err != nil {
		return nil, err
	}
	return &segmentReader{file: file, records: record.NewReader(file, logNumber)}, nil
}

// read returns the next entry, which is the caller's; io.EOF after the last one, errTorn where a write was broken off, and
// anything else where the file is damaged.
func (r *segmentReader) read() (Entry, error) {
	rec, err := r.records.Next()
	if err == nil {
		r.buf.Reset()
		_, err = r.buf.ReadFrom(io.LimitReader(rec, maxEntryBytes))
	}
	switch {
	case errors.Is(err, record.ErrUnexpectedEOF):
		return Entry{}, errTorn
	case err != nil:
		return Entry{}, err
	}
	return decodeEntry(bytes.Clone(r.buf.Bytes()))
}

func (r *segmentReader) close() { _ = r.file.Close() }

// maxEntryBytes is the largest encoded entry that is read back. The publisher's hold what fits into a batch, a quarter of it.
const maxEntryBytes = 7600 << 10

var errTorn = errors.New("the last write was broken off")
