// Package scrub rewrites the spool of a stopped gateway without the records that an erasure covers: the part of
// `sluice erase --rewrite-spool`.
//
// Entries are taken from the front and appended to the end, without what is erased, before the files that they came from
// are removed. An interruption leaves some entries twice and loses none: a resend is one row. A gateway that runs holds
// the directory's lock, so it cannot be rewritten under a gateway.
//
// A running gateway's spool needs no rewriting: what is in its queue goes to Kafka, and the consumers drop what is
// erased. What Kafka refuses, and files that are damaged, stay on the disk.
package scrub

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"sluice/gateway/spool"
	"sluice/internal/event"
	"sluice/internal/kafkawire"
)

// Covers reports whether a record is erased.
type Covers func(project string, value []byte, headers []event.Header) bool

// Result is what a rewriting did.
type Result struct {
	Erased int64 `json:"erased"` // records
	Kept   int64 `json:"kept"`   // records
	// Damaged are files of which the spool cannot read all: nobody knows what they hold.
	Damaged []string `json:"damaged,omitempty"`
}

// ErrNoSpool says that a directory has no spool.
var ErrNoSpool = errors.New("there is no spool in this directory")

const (
	// takeBytes and takeRecords bound what is rewritten at a time.
	takeBytes   = 4 << 20
	takeRecords = 10_000
	// longest is more than any spool waits.
	longest = 100 * 365 * 24 * time.Hour
)

// Run rewrites the spool in a directory. progress gets the number of records so far.
func Run(ctx context.Context, dir string, covers Covers, progress func(records int64)) (r Result, err error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return r, fmt.Errorf("--rewrite-spool: %s: %w", dir, ErrNoSpool) // opening would make it
	}
	s := spool.New(spool.Config{Dir: dir, MaxBytes: math.MaxInt64 / 4, MaxAge: longest})
	if err := s.Open(); err != nil {
		return r, err
	}
	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(writing) }()
	defer func() { stop(); <-ended; err = errors.Join(err, s.Close()) }()
	w := rewriter{spool: s, covers: covers, Result: &r}
	if err := w.queue(ctx, progress); err != nil {
		return r, err
	}
	if err := w.quarantine(ctx); err != nil {
		return r, err
	}
	r.Damaged, err = filepath.Glob(filepath.Join(dir, "*.damaged"))
	return r, err
}

type rewriter struct {
	*Result
	spool  *spool.Spool
	covers Covers
}

// queue rewrites the entries that wait for Kafka.
func (w *rewriter) queue(ctx context.Context, progress func(int64)) error {
	stats := w.spool.Stats()
	left := stats.Events - stats.Refused
	for done := int64(0); done < left; progress(done) {
		if err := ctx.Err(); err != nil {
			return err
		}
		entries, err := w.spool.Take(takeBytes, takeRecords)
		if err != nil || len(entries) == 0 {
			return err
		}
		for _, e := range entries {
			done += int64(e.Count)
			if kept := w.filter(e); kept.Count > 0 {
				if err := w.spool.Append(kept); err != nil {
					return err
				}
			}
		}
		if err := w.spool.Done(); err != nil {
			return err
		}
	}
	return nil
}

// quarantine rewrites the entries that Kafka refuses.
func (w *rewriter) quarantine(ctx context.Context) error {
	for q := range w.spool.Quarantined() {
		if err := ctx.Err(); err != nil {
			return err
		}
		kept := w.filter(q.Entry)
		if kept.Count == q.Count {
			continue
		}
		if kept.Count > 0 {
			if err := w.spool.Quarantine(kept, errKept); err != nil {
				return err
			}
		}
		if err := w.spool.Release(q); err != nil {
			return err
		}
	}
	return nil
}

var errKept = errors.New("kafka has refused it before")

// filter returns an entry without the records that are erased.
func (w *rewriter) filter(e spool.Entry) spool.Entry {
	kept := spool.Entry{AcceptedAt: e.AcceptedAt, Partition: e.Partition}
	for rest := e.Records; len(rest) > 0; {
		size, n := binary.Uvarint(rest)
		record := rest[:n+int(size)] // the spool has checked the lengths
		rest = rest[len(record):]
		if w.covered(record[n:]) {
			w.Erased++
			continue
		}
		kept.Records = append(kept.Records, record...)
		kept.Count++
		w.Kept++
	}
	return kept
}

// covered reads a record as Kafka's message format 2 has it from the key on.
func (w *rewriter) covered(tail []byte) bool {
	r := kafkawire.Reader{Rest: tail}
	r.VarintBytes()
	value := r.VarintBytes()
	var headers []event.Header
	project := ""
	for range r.Varint() {
		if r.Short {
			return false
		}
		h := event.Header{Key: string(r.VarintBytes()), Value: r.VarintBytes()}
		if h.Key == event.HeaderProject {
			project = string(h.Value)
		}
		headers = append(headers, h)
	}
	return !r.Short && w.covers(project, value, headers)
}
