package spool

import (
	"errors"
	"os"
	"path/filepath"
)

// keepDamaged renames a file that cannot be read to its end, so that it does not hold up the files behind it, and
// counts the events in it that are not on Kafka. An operator who gives the file its usual name back makes the next
// start try it again.
func (s *Spool) keepDamaged(seg *segment, cause error) error {
	path := seg.withSuffix(damagedSuffix)
	err := os.Rename(seg.path, path)
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if errors.Is(err, os.ErrNotExist) {
		path, err = seg.path+" (deleted)", nil // by somebody else, while it was read
	}
	if err != nil {
		return err
	}
	s.countError(reasonDamaged)
	s.cfg.Metrics.Lost.Add(float64(seg.events))
	s.log.Error("spool file is damaged; the rest of its events are not on kafka",
		"file", path, "bytes", seg.size, "events", seg.events, "err", cause)
	return nil
}
