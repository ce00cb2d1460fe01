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
	// crashInterval is the time between two checks of a running engine's error log.
	crashInterval = 100 * time.Millisecond
	// crashSearch is how much of the error log is searched for the cause of a crash, in bytes.
	crashSearch = 1 << 20
	// crashOverlap is how much of the searched log is searched again, in bytes, because the cause may have been half
	// written.
	crashOverlap = 8 << 10
)

// lastWords is the start of a crash's cause. Searching for it is much cheaper than matching lastGasp.
var lastWords = []byte("Terminate called for uncaught exception")

// lastGasp matches the engine's log lines about an uncaught exception, the second of which names the exception:
//
//	2026.11.28 06:40:46.310635 [ 15025 ] {} <Fatal> ClientBase: (from thread 15049) Terminate called for uncaught exception:
//	2026.11.28 06:40:46.310649 [ 15025 ] {} <Fatal> ClientBase: Code: 516. DB::Exception: …
var lastGasp = regexp.MustCompile(`(?m)^[0-9.]+ [0-9:.]+ \[ \d+ \] \{\S*\} <Fatal> .*Terminate called for uncaught exception:\n` +
	`(?:.*<Fatal> \w+: )?(.*)\n`)

// crashing reports whether the engine has aborted and is only writing its stack trace. It searches the log written
// since the last call.
func (c *child) crashing() bool {
	size := sizeOfFile(c.dir.errors())
	from := max(c.logged, c.searched-crashOverlap)
	if size == c.searched || size == c.logged {
		return false
	}
	c.searched = size
	return uncaught(c.dir.errors(), from) != ""
}

// uncaught returns the exception that ended the engine, or "". from is the size of the error log before the engine
// started.
func uncaught(name string, from int64) string {
	file, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer file.Close() //nolint:errcheck // only read
	if size := sizeOfFile(name); from > size {
		from = 0 // the engine began a new file
	} else {
		from = max(from, size-crashSearch)
	}
	text, err := io.ReadAll(io.LimitReader(io.NewSectionReader(file, from, crashSearch), crashSearch))
	if err != nil || !bytes.Contains(text, lastWords) {
		return ""
	}
	found := lastGasp.FindSubmatch(text)
	if found == nil { // or the line with its name is incomplete
		return ""
	}
	return strings.TrimSpace(string(found[1]))
}

// sizeOfFile returns a file's size in bytes, or 0 if the file does not exist.
func sizeOfFile(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}
