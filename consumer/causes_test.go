package consumer

import (
	"errors"
	"fmt"
	"sluice/consumer/clickhouse"
	"testing"
)

// Two errors are one cause if only numbers differ.
func TestCauseOf(t *testing.T) {
	a := causeOf(fmt.Errorf("%w: %w", clickhouse.ErrNotSent, errors.New("read tcp 127.0.0.1:51234->127.0.0.1:9000: connection reset")))
	b := causeOf(fmt.Errorf("%w: %w", clickhouse.ErrNotSent, errors.New("read tcp 127.0.0.1:51299->127.0.0.1:9000: connection reset")))
	if a != b || a == causeOf(errors.New("EOF")) || causeOf(&clickhouse.ServerError{Code: 241}) == causeOf(&clickhouse.ServerError{Code: 159}) {
		t.Error(a, b)
	}
	var c causes
	for i := range mostCauses + 3 {
		fresh := c.note("clickhouse", &clickhouse.ServerError{Code: i + 1})
		if fresh != (i < mostCauses) {
			t.Errorf("cause %d: new %v", i, fresh)
		}
	}
}
