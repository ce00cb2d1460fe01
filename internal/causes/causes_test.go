package causes

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Two errors are one cause if only numbers differ, or if they have the same code.
func TestOf(t *testing.T) {
	t.Parallel()
	notSent := errors.New("nothing was sent")
	a := Of(0, fmt.Errorf("%w: %w", notSent, errors.New("read tcp 127.0.0.1:51234->127.0.0.1:9000: connection reset")))
	b := Of(0, fmt.Errorf("%w: %w", notSent, errors.New("read tcp 127.0.0.1:51299->127.0.0.1:9000: connection reset")))
	assert.Equal(t, a, b)
	assert.NotEqual(t, a, Of(0, errors.New("EOF")))
	assert.NotEqual(t, Of(241, errors.New("x")), Of(159, errors.New("x")))
	assert.Equal(t, Of(241, errors.New("x")), Of(241, errors.New("y")))
}

// A Log keeps a bounded number of causes, counts each, and repeats no hint.
func TestLog(t *testing.T) {
	t.Parallel()
	var l Log
	for i := range maxCauses + 3 {
		assert.Equal(t, i < maxCauses, l.Note(Of(i+1, nil)), "cause %d", i)
	}
	assert.False(t, l.Note("code 1"))
	assert.Contains(t, l.Summary(), "code 1: 2")
	assert.Equal(t, maxCauses+4, l.Tries())
	assert.Equal(t, "do this", l.Advice("do this"))
	assert.Empty(t, l.Advice("do this"))
}
