package consumer

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sluice/consumer/clickhouse"
)

// mostCauses bounds the causes that are remembered of one blockage.
const mostCauses = 16

// mostCauseBytes is how much of an error's text distinguishes it from others.
const mostCauseBytes = 200

// causes are the causes of one blockage so far, so that each is logged once.
type causes struct {
	tries int
	seen  []string
	times []int
	hints []string
}

// advice returns a hint that was not given yet, or nothing.
func (c *causes) advice(text string) string {
	if slices.Contains(c.hints, text) {
		return ""
	}
	c.hints = append(c.hints, text)
	return text
}

// note counts a cause, and reports whether it is new.
func (c *causes) note(reason string, err error) bool {
	c.tries++
	key := reason + " " + causeOf(err)
	if i := slices.Index(c.seen, key); i >= 0 {
		c.times[i]++
		return false
	}
	if len(c.seen) >= mostCauses {
		return false
	}
	c.seen, c.times = append(c.seen, key), append(c.times, 1)
	return true
}

// summary lists how often each cause came.
func (c *causes) summary() string {
	var out []string
	for i, key := range c.seen {
		out = append(out, fmt.Sprintf("%s: %d", key, c.times[i]))
	}
	return strings.Join(out, ", ")
}

// causeOf identifies a cause: by ClickHouse's code, or by the innermost error. Numbers, such as the ports of a
// connection, make no difference.
func causeOf(err error) string {
	if code := clickhouse.Code(err); code != 0 {
		return fmt.Sprintf("code %d", code)
	}
	for {
		next := errors.Unwrap(err)
		if many, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // one step at a time
			if all := many.Unwrap(); len(all) > 0 {
				next = all[len(all)-1] // after errNotSent comes why
			}
		}
		if next == nil {
			break
		}
		err = next
	}
	text := err.Error()
	return digits.ReplaceAllString(strings.ToValidUTF8(text[:min(len(text), mostCauseBytes)], ""), "#")
}

var digits = regexp.MustCompile(`[0-9]+`)
