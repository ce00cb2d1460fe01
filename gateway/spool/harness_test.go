package spool

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/testclock"
)

// spooled is a spool under test that runs.
type spooled struct {
	*Spool
	t     *testing.T
	clock *testclock.Clock
	shut  func() // ends the spool as a drain does
	halt  func() // ends Run, and leaves the files as a crash would
}

// openSpool opens and runs a spool. edit changes it before.
func openSpool(t *testing.T, dir string, edit ...func(*Spool)) *spooled {
	t.Helper()
	s := &spooled{t: t, clock: testclock.New(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))}
	s.Spool = New(Config{Dir: dir, MaxBytes: 1 << 30, MaxAge: time.Hour, Now: s.clock.Now, Uptime: s.clock.Elapsed})
	for _, f := range edit {
		f(s.Spool)
	}
	require.NoError(t, s.Open())
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	var once sync.Once
	end := func(last func()) func() {
		return func() { once.Do(func() { cancel(); running.Wait(); last() }) }
	}
	s.shut = end(func() { require.NoError(t, s.Close()) })
	s.halt = end(func() {
		s.cursor.close()
		if s.writer != nil { // its goroutine must not stay; what it writes here comes after all that was fsynced
			_ = s.writer.Close()
		}
		_ = s.directory.release()
	})
	t.Cleanup(s.halt)
	return s
}

// eventually waits for a condition, not for a time.
func eventually(t testing.TB, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, 2*time.Millisecond)
}

// maxBatch is the largest entry of the publisher, in bytes.
const maxBatch = 1900 << 10

// runOf encodes records without key and headers.
func runOf(values ...string) []byte {
	var b []byte
	for _, v := range values {
		tail := binary.AppendVarint(nil, -1)
		tail = binary.AppendVarint(tail, int64(len(v)))
		tail = append(tail, v...)
		tail = binary.AppendVarint(tail, 0)
		b = binary.AppendUvarint(b, uint64(len(tail)))
		b = append(b, tail...)
	}
	return b
}

// valueOf returns the value of an entry's only record.
func valueOf(t *testing.T, e Entry) string {
	t.Helper()
	size, n := binary.Uvarint(e.Records)
	tail := e.Records[n:]
	if int(size) != len(tail) || e.Count != 1 {
		t.Fatalf("not one record: %d of %q", e.Count, e.Records)
	}
	_, k := binary.Varint(tail)
	length, v := binary.Varint(tail[k:])
	return string(tail[k+v:][:length])
}

// entryOf makes an entry of one record.
func (s *spooled) entryOf(value string) Entry {
	return Entry{AcceptedAt: s.clock.Now(), Partition: -1, Count: 1, Records: runOf(value)}
}

func (s *spooled) put(value string) error { return s.Append(s.entryOf(value)) }

func (s *spooled) mustPut(values ...string) {
	s.t.Helper()
	for _, v := range values {
		if err := s.put(v); err != nil {
			s.t.Fatalf("append %.20q: %v", v, err)
		}
	}
}

// rest takes all entries, in order.
func (s *spooled) rest() []string {
	s.t.Helper()
	var out []string
	for {
		batch, err := s.Take(maxBatch, 20_000)
		if err != nil {
			s.t.Fatal(err)
		}
		if len(batch) == 0 {
			return out
		}
		for _, e := range batch {
			out = append(out, valueOf(s.t, e))
		}
		if err := s.Done(); err != nil {
			s.t.Fatal(err)
		}
	}
}

// names lists the directory's files with a suffix.
func names(t *testing.T, dir, suffix string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	require.NoError(t, err)
	return found
}

// copyDir copies the directory as a crash would leave it now.
func copyDir(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	for _, name := range names(t, dir, "") {
		if filepath.Base(name) == lockName {
			continue
		}
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(to, filepath.Base(name)), text, 0o600))
	}
	return to
}

func numbered(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("event %d %s", i, strings.Repeat("x", i%100))
	}
	return out
}
