//go:build crashpoints

package crashpoint

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

var crashAt, crashSignal, crashAfter = func() (string, syscall.Signal, int64) {
	point, rest, _ := strings.Cut(os.Getenv("CRASHPOINT"), ":")
	count, how, _ := strings.Cut(rest, ":")
	n, _ := strconv.ParseInt(count, 10, 64)
	if how == "STOP" {
		return point, syscall.SIGSTOP, n
	}
	return point, syscall.SIGKILL, n
}()

var reached atomic.Int64

// Reach kills or stops the program if CRASHPOINT says so.
func Reach(point string) {
	if point == crashAt && reached.Add(1) == crashAfter {
		_ = syscall.Kill(os.Getpid(), crashSignal)
	}
}

// Duration returns what CRASHPOINT_TIMES says for a name, or d.
func Duration(name string, d time.Duration) time.Duration {
	for one := range strings.SplitSeq(os.Getenv("CRASHPOINT_TIMES"), ",") {
		if of, text, _ := strings.Cut(one, "="); of == name {
			if set, err := time.ParseDuration(text); err == nil {
				return set
			}
		}
	}
	return d
}
