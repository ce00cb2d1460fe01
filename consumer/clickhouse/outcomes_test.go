package clickhouse

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/internal/outcome"
)

// countsOf are counts of many sources, each of which has counted n events.
func countsOf(n int64) []outcome.Row {
	var rows []outcome.Row
	for i := range 200 {
		rows = append(rows, outcome.Row{
			Project: "p", Minute: 1_795_435_200, Protocol: outcome.Native, Outcome: outcome.Rejected, Reason: "empty",
			Events: n, Source: outcome.SourceOf(fmt.Sprint(i)),
		})
	}
	return rows
}

// On a cluster all values of a count meet on one shard, where a Distributed table looks for them. A shard that fails
// fails the insert, and inserting everything again changes nothing.
func TestClusterOutcomes(t *testing.T) {
	for name, fault := range map[string]clickhousetest.Fault{
		"lost": clickhousetest.Lost, "answer lost": clickhousetest.AnswerLost, "read-only": clickhousetest.ReadOnly,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, servers, ways := twoShards(t)
			require.NoError(t, c.InsertOutcomes(t.Context(), countsOf(2)))
			ways[1].Plan(fault, fault)
			for try := range 3 {
				err := c.InsertOutcomes(t.Context(), countsOf(3))
				assert.Equal(t, try < 2, err != nil, "try %d: %v", try, err)
			}
			require.NoError(t, c.InsertOutcomes(t.Context(), countsOf(1)), "one that comes late")
			assert.Equal(t, 200, addedUp(t, servers, "SELECT count() FROM outcomes_local FINAL"))
			assert.Equal(t, 600, addedUp(t, servers, "SELECT sum(events) FROM outcomes_local FINAL"))
			for shard, d := range servers {
				d.Asks(fmt.Sprintf("SELECT countIf(%s %% 2 != %d) FROM outcomes_local", OutcomesShardKey, shard), "0")
				d.Asks("SELECT count() > 50 FROM outcomes_local", "1")
			}
		})
	}
}
