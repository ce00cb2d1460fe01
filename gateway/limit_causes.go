package gateway

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// mostCauses bounds what is remembered of one outage.
const mostCauses = 16

// storeCauses are the causes that one outage of the store has had so far. Each is logged once.
type storeCauses struct {
	tries int
	seen  []string
	times []int
}

// note counts a cause, and says whether it is a new one.
func (c *storeCauses) note(err error) bool {
	c.tries++
	cause := storeCause(err)
	if i := slices.Index(c.seen, cause); i >= 0 {
		c.times[i]++
		return false
	}
	if len(c.seen) >= mostCauses {
		return false
	}
	c.seen, c.times = append(c.seen, cause), append(c.times, 1)
	return true
}

// summary is how often each cause came.
func (c *storeCauses) summary() string {
	var out []string
	for i, cause := range c.seen {
		out = append(out, fmt.Sprintf("%s: %d", cause, c.times[i]))
	}
	return strings.Join(out, ", ")
}

var causeDigits = regexp.MustCompile(`[0-9]+`)

// storeCause tells one cause from another: the store's own word for it, such as READONLY, or what lies at the bottom of the error.
// Numbers in it, such as the ports of a connection, make no difference.
func storeCause(err error) string {
	var replied interface {
		error
		RedisError() // as go-redis marks what Redis answered
	}
	if errors.As(err, &replied) {
		word, _, _ := strings.Cut(replied.Error(), " ")
		return word
	}
	for next := err; next != nil; next = errors.Unwrap(next) {
		err = next
	}
	return causeDigits.ReplaceAllString(err.Error(), "#")
}
