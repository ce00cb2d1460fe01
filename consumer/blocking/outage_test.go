package blocking

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"

	"sluice/internal/testlog"
)

const begins, ends = "clickhouse does not answer as it should, retrying", "clickhouse answers again"

// However many partitions wait however often, an outage has one line for each cause, and one when the last one goes on.
func TestAnOutageOfAllPartitionsIsLoggedOnce(t *testing.T) {
	t.Parallel()
	var said testlog.Counter
	log := slog.New(&said)
	o := NewOutage(log)
	const partitions = 384
	for range partitions {
		o.Begin()
	}
	for n := range 1000 {
		o.Failed(t.Context(), log, fmt.Errorf("dial tcp 127.0.0.1:%d: connection refused", n))
	}
	o.Failed(t.Context(), log, errors.New("EOF"))
	assert.Equal(t, 2, said.Of(begins))
	for range partitions - 1 {
		o.End(true)
	}
	assert.Zero(t, said.Of(ends))
	o.End(true)
	assert.Equal(t, 1, said.Of(ends))

	o.Begin()
	o.Failed(t.Context(), log, errors.New("EOF"))
	assert.Equal(t, 3, said.Of(begins), "the next outage has its own lines")
}

// A partition that is given up says nothing about ClickHouse.
func TestAnOutageThatIsGivenUp(t *testing.T) {
	t.Parallel()
	var said testlog.Counter
	log := slog.New(&said)
	o := NewOutage(log)
	for range 2 {
		o.Begin()
		o.Failed(t.Context(), log, errors.New("EOF"))
		o.End(false)
	}
	assert.Equal(t, 2, said.Of(begins), "the next owner's partitions wait anew")
	assert.Zero(t, said.Of(ends))
}
