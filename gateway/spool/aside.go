package spool

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// What the spool cannot read to its end it keeps beside the log, under another name. Given back its usual one, such a file is
// tried again at the next start. What Kafka refuses is kept beside it too: see spool_refused.go.

// keepAside takes a file out of replay's way and says so. What is left of its events could not be read.
func (s *Spool) keepAside(seg *segment, cause error) error {
	path, err := setAside(seg)
	if errors.Is(err, os.ErrNotExist) {
		path, err = seg.path+" (deleted)", nil // by somebody, while it was read
	}
	if err != nil {
		return err
	}
	s.metrics.Errors.WithLabelValues(spoolDamaged).Inc()
	s.metrics.Lost.Add(float64(seg.events))
	s.log.Error("spool file cannot be read to its end; what follows is not on kafka", "file", path, "bytes", seg.size, "events", seg.events, "err", cause)
	return nil
}

func aside(seg *segment, suffix string) string {
	return strings.TrimSuffix(strings.TrimSuffix(seg.path, segmentSuffix), refusedSuffix) + suffix
}

// setAside keeps a file under another name, out of the way of replay.
func setAside(seg *segment) (string, error) {
	path := aside(seg, damagedSuffix)
	if err := os.Rename(seg.path, path); err != nil {
		return "", err
	}
	return path, syncDir(filepath.Dir(path))
}
