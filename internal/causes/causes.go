// Package causes tells the errors of one outage apart, so that each cause is logged once and counted each time.
//
// A Log belongs to one outage, or to one blockage. To change when two errors have the same cause, see Of.
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

// Log counts the causes of one outage. The zero value is ready. It is not safe for concurrent use.
type Log struct {
	tries int
	seen  []string
	times []int
	hints []string
}

// Note counts a cause and reports whether it is new. A Log that is full reports no new causes.
func (l *Log) Note(cause string) bool {
	l.tries++
	if i := slices.Index(l.seen, cause); i >= 0 {
		l.times[i]++
		return false
	}
	if len(l.seen) >= maxCauses {
		return false
	}
	l.seen, l.times = append(l.seen, cause), append(l.times, 1)
	return true
}

// Tries returns how often Note was called.
func (l *Log) Tries() int { return l.tries }

// Advice returns a hint the first time that it is called with that hint, and "" after that.
func (l *Log) Advice(hint string) string {
	if slices.Contains(l.hints, hint) {
		return ""
	}
	l.hints = append(l.hints, hint)
	return hint
}

// Summary lists the causes, each with how often it came.
func (l *Log) Summary() string {
	var out []string
	for i, cause := range l.seen {
		out = append(out, fmt.Sprintf("%s: %d", cause, l.times[i]))
	}
	return strings.Join(out, ", ")
}

// Of returns the cause of an error: the server's code, or if that is 0 the text of the innermost error. Digits become #,
// because the ports of connections differ.
func Of(code int, err error) string {
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
