package consumer

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ClickHouse/ch-go/proto"
)

var (
	errorName   = regexp.MustCompile(`\(([A-Z][A-Z0-9_]{3,})\)`)
	failedAt    = regexp.MustCompile(`while executing '?FUNCTION .*? -> (.*?) [A-Z]\w*(?:\(.*\))? : \d+`)
	constraint  = regexp.MustCompile("[Cc]onstraint [`']([^`']+)[`']")
	columnNamed = regexp.MustCompile("\\b[Cc]olumn [`'\"]?([A-Za-z_][A-Za-z0-9_]*)[`'\"]?")
)

// reasonText is an error for the log. What ClickHouse says of rows that it refuses quotes what is in them, which does not belong there: of
// these only the code is left, and what of the table they met. Dead letters have the whole text, beside the event itself.
func reasonText(err error) string {
	switch faultOf(err) {
	case faultData, faultUnclear:
	default:
		return err.Error()
	}
	code := errorCode(err)
	text := fmt.Sprintf("clickhouse refuses the rows: code %d %s", code, codeName(err))
	if m := constraint.FindStringSubmatch(err.Error()); m != nil {
		text += ", constraint " + m[1]
	}
	if at := failedExpression(err); at != "" {
		text += ", in " + at
	}
	return strings.TrimSpace(text)
}

// codeName is how ClickHouse calls an error's code.
func codeName(err error) string {
	if m := errorName.FindAllStringSubmatch(err.Error(), -1); m != nil {
		return m[len(m)-1][1]
	}
	name, _, _ := strings.Cut(proto.Error(errorCode(err)).Error(), " ")
	return name
}

// failedExpression is the part of a column's expression that failed, as the message has it.
func failedExpression(err error) string {
	if m := failedAt.FindStringSubmatch(err.Error()); m != nil {
		return m[1]
	}
	return ""
}

// mostCauses bounds what is remembered of one blockage.
const mostCauses = 16

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
	if code := errorCode(err); code != 0 {
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
	return digits.ReplaceAllString(cut(err.Error(), 200), "#")
}

var digits = regexp.MustCompile(`[0-9]+`)
