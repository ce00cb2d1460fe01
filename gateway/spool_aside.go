package gateway

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/record"
)

// What the spool cannot get rid of in the usual way it keeps beside the log, under another name. Given back its usual one, such
// a file is tried again at the next start.

// keepAside takes a file out of replay's way and says so.
func (s *spool) keepAside(seg *segment, cause error) error {
	path, err := setAside(seg)
	if err != nil {
		return err
	}
	s.metrics.spoolErrors.WithLabelValues("damaged").Inc()
	s.log.Error("spool file cannot be read to its end; what follows is not on kafka", "file", path, "bytes", seg.size, "err", cause)
	return nil
}

// keepRefused keeps an entry that Kafka refused for good, in a file of its own. It is on the disk when this returns nil.
func (s *spool) keepRefused(e *entry, cause error) error {
	s.write.Lock()
	seg := s.segment(s.number)
	s.number++
	s.write.Unlock()
	path := aside(seg, refusedSuffix)
	file, err := createSegment(path)
	if err != nil {
		return err
	}
	w := record.NewLogWriter(file, logNumber, record.LogWriterConfig{WriteWALSyncOffsets: func() bool { return true }})
	var synced sync.WaitGroup
	var syncErr error
	synced.Add(1)
	if _, err = w.SyncRecord(e.encode(), &synced, &syncErr); err == nil { // its counters stay 0: it is counted with no other
		synced.Wait()
		err = syncErr
	}
	if err = errors.Join(err, w.Close(), syncDir(s.dir)); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	s.metrics.spoolErrors.WithLabelValues("refused").Inc()
	s.log.Error("kafka refuses what waited in the spool; it is kept", "file", path, "events", e.count, "err", cause)
	return nil
}

func aside(seg *segment, suffix string) string {
	return strings.TrimSuffix(seg.path, segmentSuffix) + suffix
}

// setAside keeps a file under another name, out of the way of replay.
func setAside(seg *segment) (string, error) {
	path := aside(seg, damagedSuffix)
	if err := os.Rename(seg.path, path); err != nil {
		return "", err
	}
	return path, syncDir(filepath.Dir(path))
}
