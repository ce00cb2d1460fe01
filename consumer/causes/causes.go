// Package causes tells the errors of one blockage apart, so that each cause is logged once and counted each time.
//
// It is pure: a Log is what one blockage has met so far, and nobody else sees it. To change when two errors are the
// same cause read causeOf.
package causes

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const (
	// maxCauses bounds how many causes a Log keeps.
	maxCauses = 16
	// maxCauseBytes is how much of an error's text tells it from another one.
	maxCauseBytes = 200
)

// Log is what one blockage has met so far. The zero value is ready. It is not safe for concurrent use.
type Log struct {
	tries int
	seen  []string
	times []int
	hints []string
}

// Note counts a cause, and says whether it is a new one. code is the server's code of the error, 0 for none. reason is
// a word of the caller's: the same error for another reason is another cause.
func (l *Log) Note(reason string, code int, err error) bool {
	l.tries++
	key := reason + " " + causeOf(code, err)
	if i := slices.Index(l.seen, key); i >= 0 {
		l.times[i]++
		return false
	}
	if len(l.seen) >= maxCauses {
		return false
	}
	l.seen, l.times = append(l.seen, key), append(l.times, 1)
	return true
}

// Tries is how often Note was called.
func (l *Log) Tries() int { return l.tries }

// Advice returns a hint the first time that it is called with it, and then nothing.
func (l *Log) Advice(hint string) string {
	if slices.Contains(l.hints, hint) {
		return ""
	}
	l.hints = append(l.hints, hint)
	return hint
}

// Summary is how often each cause came.
func (l *Log) Summary() string {
	var out []string
	for i, key := range l.seen {
		out = append(out, fmt.Sprintf("%s: %d", key, l.times[i]))
	}
	return strings.Join(out, ", ")
}

// causeOf tells one cause from another: by the server's code, or by the innermost error. Numbers in its text, such as
// the ports of a connection, make no difference.
func causeOf(code int, err error) string {
	if code != 0 {
		return fmt.Sprintf("code %d", code)
	}
	for {
		next := errors.Unwrap(err)
		if many, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // one step at a time
			if all := many.Unwrap(); len(all) > 0 {
				next = all[len(all)-1] // the reason comes last
			}
		}
		if next == nil {
			break
		}
		err = next
	}
	text := err.Error()
	return digits.ReplaceAllString(strings.ToValidUTF8(text[:min(len(text), maxCauseBytes)], ""), "#")
}

var digits = regexp.MustCompile(`[0-9]+`)
