package ratelimit

import (
	"errors"
	"strings"

	"sluice/internal/causes"
)

// causeOf returns the cause of an error: Redis' own word for it, such as READONLY, or else the innermost error.
func causeOf(err error) string {
	var replied interface {
		error
		RedisError() // as go-redis marks the errors that Redis answers
	}
	if errors.As(err, &replied) {
		word, _, _ := strings.Cut(replied.Error(), " ")
		return word
	}
	return causes.Of(0, err)
}
