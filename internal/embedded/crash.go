package embedded

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strings"
	"time"
)

const (
	// crashInterval is how often a running engine's error log is looked at.
	crashInterval = 100 * time.Millisecond
	// crashSearch is how much of the error log is searched for the cause of a crash, in bytes.
	crashSearch = 1 << 20
	// crashOverlap is how much of what was searched before is searched again, because the cause may have been written half.
	crashOverlap = 8 << 10
)

// lastWords is what the cause of a crash begins with. Looking for it is much cheaper than for lastGasp.
var lastWords = []byte("Terminate called for uncaught exception")

// lastGasp is what an engine logs when an exception has left the function that should have caught it, and the line after that, which
// names the exception:
//
//	2026.11.28 06:40:46.310635 [ 15025 ] {} <Fatal> ClientBase: (from thread 15049) Terminate called for uncaught exception:
//	2026.11.28 06:40:46.310649 [ 15025 ] {} <Fatal> ClientBase: Code: 516. DB::Exception: …
var lastGasp = regexp.MustCompile(`(?m)^[0-9.]+ [0-9:.]+ \[ \d+ \] \{\S*\} <Fatal> .*Terminate called for uncaught exception:\n` +
	`(?:.*<Fatal> \w+: )?(.*)\n`)

// crashing tells whether the engine has given itself up and only describes how. It searches what the engine has logged since it
// was last asked.
func (c *child) crashing() bool {
	size := sizeOfFile(c.dir.errors())
	from := max(c.logged, c.searched-crashOverlap)
	if size == c.searched || size == c.logged {
		return false
	}
	c.searched = size
	return uncaught(c.dir.errors(), from) != ""
}

// uncaught is the exception that ended an engine whose error log had a size before it started. Empty: there is none.
func uncaught(name string, from int64) string {
	file, err := os.Open(name) //nolint:gosec // our own file
	if err != nil {
		return ""
	}
	defer file.Close() //nolint:errcheck // only read
	if size := sizeOfFile(name); from > size {
		from = 0 // a new file was begun
	} else {
		from = max(from, size-crashSearch)
	}
	text, err := io.ReadAll(io.LimitReader(io.NewSectionReader(file, from, crashSearch), crashSearch))
	if err != nil || !bytes.Contains(text, lastWords) {
		return ""
	}
	found := lastGasp.FindSubmatch(text)
	if found == nil { // or the line that names it is not complete yet
		return ""
	}
	return strings.TrimSpace(string(found[1]))
}

// sizeOfFile is a file's size in bytes, 0 if there is none.
func sizeOfFile(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}
