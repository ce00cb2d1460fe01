package spool

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/record"
)

// The names of files in the directory: a number of 20 digits and one of these suffixes.
const (
	segmentSuffix = ".spool"
	segmentDigits = 20
	// damagedSuffix marks a file of which less could be read than was written. The spool does not read it again.
	damagedSuffix = ".damaged"
	// refusedSuffix marks a file with one entry in quarantine.
	refusedSuffix = ".refused"
)

// segment is a file of the spool. "At" fields are by Config.Uptime, and negative for a time before this run.
type segment struct {
	path    string
	size    int64  // on the disk, in bytes
	written int64  // bytes of acknowledged entries on the disk, as the file system counts
	first   uint64 // sequence of its first entry; 0: it has none yet
	before  uint64 // events before its first entry
	entries int64  // that were acknowledged in it
	events  int64  // that wait in it

	firstAccepted time.Time     // when its first entry was accepted, by the wall clock
	firstAt       time.Duration // the same
	oldestAt      time.Duration // when the oldest entry that is left was accepted
	lastAt        time.Duration // when its last entry was accepted

	info     os.FileInfo // which file it is; nil: not known
	reading  bool        // it is being read, and must not count as lost
	firstCRC uint32      // CRC-32 of its first entry: tells it from a file of the same name that another spool wrote
}

// setFirst notes the first entry of the segment and when it was accepted, by Config.Uptime.
func (seg *segment) setFirst(e *Entry, at time.Duration) {
	seg.firstCRC = crc32.ChecksumIEEE(e.Records)
	seg.firstAccepted, seg.firstAt, seg.oldestAt, seg.lastAt = e.AcceptedAt, at, at, at
}

// setOldest notes when the oldest entry that is left was accepted, by the wall clock. Whatever the wall clock did
// since, the time by Config.Uptime lies between that of the entry before and that of the last entry.
func (seg *segment) setOldest(accepted time.Time) {
	at := seg.firstAt + accepted.Sub(seg.firstAccepted)
	seg.oldestAt = min(max(at, seg.oldestAt), max(seg.lastAt, seg.oldestAt))
}

// newSegment makes the segment of a number in the directory. Its file need not exist.
func newSegment(dir string, number uint64) *segment {
	return &segment{path: filepath.Join(dir, fmt.Sprintf("%0*d", segmentDigits, number)+segmentSuffix)}
}

// withSuffix returns the path of the segment's file under another suffix.
func (seg *segment) withSuffix(suffix string) string {
	return strings.TrimSuffix(strings.TrimSuffix(seg.path, segmentSuffix), refusedSuffix) + suffix
}

// measure reads the size of a file that is not written any more.
func (seg *segment) measure() {
	if info, err := os.Lstat(seg.path); err == nil && (seg.info == nil || os.SameFile(info, seg.info)) {
		seg.size, seg.info = info.Size(), info
	}
}

// logNumber is what the log puts into every block. It matters to files that are written again; the spool's are not.
const logNumber = 1

func createSegment(path string) (io.WriteCloser, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

// removeSegment removes a segment's file. A file or a directory that does not exist is no error.
func removeSegment(seg *segment) error {
	if err := os.Remove(seg.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := syncDir(filepath.Dir(seg.path)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
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

// maxEntryBytes is the largest encoded entry that is read back, four times what fits into a Kafka batch.
const maxEntryBytes = 7600 << 10

var errTorn = errors.New("the last write was broken off")

// read returns the next entry, which is the caller's. It returns io.EOF after the last entry, errTorn where a write was
// broken off, and another error where the file is damaged.
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
