//go:build crashpoints

package consumer

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// The environment variable CRASHPOINT=point:n[:STOP] kills, or stops, the program when it comes to a point for the nth time.
var crashAt, crashSignal, crashAfter = func() (string, syscall.Signal, int64) {
	point, rest, _ := strings.Cut(os.Getenv("CRASHPOINT"), ":")
	count, how, _ := strings.Cut(rest, ":")
	n, _ := strconv.ParseInt(count, 10, 64)
	if how == "STOP" {
		return point, syscall.SIGSTOP, n
	}
	return point, syscall.SIGKILL, n
}()

var crashCount atomic.Int64

func crash(point string) {
	if point == crashAt && crashCount.Add(1) == crashAfter {
		_ = syscall.Kill(os.Getpid(), crashSignal)
	}
}
