package consumer

import (
	"errors"
	"fmt"
	"testing"
)

// Two errors are one cause if only numbers differ.
func TestCauseOf(t *testing.T) {
	a := causeOf(fmt.Errorf("%w: %w", errNotSent, errors.New("read tcp 127.0.0.1:51234->127.0.0.1:9000: connection reset")))
	b := causeOf(fmt.Errorf("%w: %w", errNotSent, errors.New("read tcp 127.0.0.1:51299->127.0.0.1:9000: connection reset")))
	if a != b || a == causeOf(errors.New("EOF")) || causeOf(&httpError{code: 241}) == causeOf(&httpError{code: 159}) {
		t.Error(a, b)
	}
	var c causes
	for i := range mostCauses + 3 {
		fresh := c.note("clickhouse", &httpError{code: i + 1})
		if fresh != (i < mostCauses) {
			t.Errorf("cause %d: new %v", i, fresh)
		}
	}
}
