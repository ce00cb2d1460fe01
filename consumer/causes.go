package consumer

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sluice/consumer/clickhouse"
	"strings"
)

// mostCauses bounds what is remembered of one blockage.
const mostCauses = 16

// mostCauseBytes is how much of an error's text tells it from another one.
const mostCauseBytes = 200

// causes are what one blockage has met so far, so that each is logged once.
type causes struct {
	tries int
	seen  []string
	times []int
	hints []string
}

// advice is a hint that was not given yet, or nothing.
func (c *causes) advice(text string) string {
	if slices.Contains(c.hints, text) {
		return ""
	}
	c.hints = append(c.hints, text)
	return text
}

// note counts a cause, and says whether it is a new one.
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

// summary is how often each came.
func (c *causes) summary() string {
	var out []string
	for i, key := range c.seen {
		out = append(out, fmt.Sprintf("%s: %d", key, c.times[i]))
	}
	return strings.Join(out, ", ")
}

// causeOf tells one cause from another: ClickHouse's code, or what lies at the bottom of the error. Numbers in it, such as the ports of a
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
