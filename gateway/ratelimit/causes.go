package ratelimit

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// maxCauses bounds how many causes of one outage are told apart.
const maxCauses = 16

// storeCauses counts the causes of one outage of the store. Each cause is logged once.
type storeCauses struct {
	tries int      // failed exchanges and connects
	seen  []string // the causes
	times []int    // how often each came
}

// note counts the cause of an error and reports whether it is new.
func (c *storeCauses) note(err error) bool {
	c.tries++
	cause := storeCause(err)
	if i := slices.Index(c.seen, cause); i >= 0 {
		c.times[i]++
		return false
	}
	if len(c.seen) >= maxCauses {
		return false
	}
	c.seen, c.times = append(c.seen, cause), append(c.times, 1)
	return true
}

// summary lists the causes, each with how often it came.
func (c *storeCauses) summary() string {
	var out []string
	for i, cause := range c.seen {
		out = append(out, fmt.Sprintf("%s: %d", cause, c.times[i]))
	}
	return strings.Join(out, ", ")
}

var causeDigits = regexp.MustCompile(`[0-9]+`)

// storeCause returns the cause of an error: Redis' own word for it, such as READONLY, or else the innermost error.
// Digits become #, because the ports of connections differ.
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
