//go:build linux

package spool

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// spoolChild names the environment variable that makes the test binary the victim of a kill: it appends to the spool in
// the directory for ever, and prints each acknowledgement.
const spoolChild = "GATEWAY_TEST_SPOOL_CHILD"

func TestSpoolChild(t *testing.T) {
	dir := os.Getenv(spoolChild)
	if dir == "" {
		t.Skip("started by TestSpoolSurvivesKill")
	}
	s := openSpool(t, dir, func(s *Spool) { s.segmentBytes = 64 << 10 })
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := 0; ; i++ {
				value := fmt.Sprintf("%d-%d-%s", worker, i, strings.Repeat("x", i%2000))
				s.mustPut(value)
				fmt.Printf("kept %d-%d\n", worker, i)
			}
		})
	}
	all.Wait()
}

func TestSpoolSurvivesKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var kept []string
	for range 3 { // each run goes on where the one before was killed
		child := exec.Command(os.Args[0], "-test.run", "^TestSpoolChild$")
		child.Env = append(os.Environ(), spoolChild+"="+dir)
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		scan := bufio.NewScanner(out)
		for n := 0; n < 500 && scan.Scan(); n++ {
			if id, ok := strings.CutPrefix(scan.Text(), "kept "); ok {
				kept = append(kept, id)
			}
		}
		_ = child.Process.Kill()
		for scan.Scan() { // acknowledged before the signal came
			if id, ok := strings.CutPrefix(scan.Text(), "kept "); ok {
				kept = append(kept, id)
			}
		}
		_ = child.Wait()
	}
	if len(kept) < 1500 {
		t.Fatalf("the children kept %d", len(kept))
	}
	counts := map[string]int{}
	for _, v := range openSpool(t, dir).rest() {
		worker, rest, _ := strings.Cut(v, "-")
		i, _, _ := strings.Cut(rest, "-")
		counts[worker+"-"+i]++
	}
	wanted := map[string]int{}
	for _, id := range kept {
		wanted[id]++
	}
	for id, n := range wanted {
		if counts[id] < n {
			t.Errorf("%s was acknowledged %d times and is there %d times", id, n, counts[id])
		}
	}
	if aside := names(t, dir, damagedSuffix); len(aside) > 0 {
		t.Errorf("set aside: %v", aside)
	}
}

// On a full disk no append is acknowledged. When there is room again the spool takes more.
func TestSpoolOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small disk needs the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 300<<10), 0o600))
	spooldir := filepath.Join(dir, "spool")
	s := openSpool(t, spooldir, func(s *Spool) { s.segmentBytes = 100 << 10 })
	var want []string
	fill := func() {
		for i := 0; ; i++ {
			value := fmt.Sprintf("%d %d %s", len(want), i, strings.Repeat("x", 5000))
			err := s.put(value)
			if errors.Is(err, ErrDisk) {
				return
			}
			if err != nil || i > 1000 {
				t.Fatalf("%d: %v", i, err)
			}
			want = append(want, value)
		}
	}
	fill()
	if len(want) < 100 || len(want) > 150 {
		t.Fatalf("%d entries of 5 kB fit into 700 KiB", len(want))
	}
	require.NoError(t, os.Remove(ballast))
	s.clock.Advance(retryAfter)
	n := len(want)
	fill()
	if len(want) < n+40 {
		t.Errorf("with 300 KiB more it took %d", len(want)-n)
	}
	// The spool may hold entries that it did not acknowledge.
	got := slices.DeleteFunc(s.rest(), func(v string) bool { return !slices.Contains(want, v) })
	if !slices.Equal(got, want) {
		t.Errorf("%d of %d, or in another order", len(got), len(want))
	}
	if aside := names(t, spooldir, damagedSuffix); len(aside) > 0 {
		t.Errorf("set aside: %v", aside)
	}
	s.clock.Advance(retryAfter)
	s.mustPut("empty again")
}
