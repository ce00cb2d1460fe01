package clickhouse

import (
	"context"
	"fmt"
	"strings"
)

// ByDay is the partition key of the table of events: the day of the event's identity, by its number modulo 128. A
// table of an earlier version has the month.
const ByDay = "toRelativeDayNum(id_time) % 128"

// ByMonth reports whether the partitions of the table of events are months, as in a table that an earlier version made.
// It asks the server.
func (t *Table) ByMonth(ctx context.Context) (bool, error) {
	cfg := t.topology.cfg
	opts, err := cfg.Options()
	if err != nil {
		return false, err
	}
	table := TableName
	if cfg.Cluster != "" {
		table = LocalTable
	}
	keys, err := discovery{cfg}.ask(ctx, "SELECT partition_key FROM system.tables"+
		" WHERE database = "+Quote(opts.Auth.Database)+" AND name = "+Quote(table))
	if err != nil {
		return false, err
	}
	if len(keys) != 1 {
		return false, fmt.Errorf("read the partition key of %s: the user does not see the table", table)
	}
	return strings.Join(strings.Fields(keys[0]), " ") != ByDay, nil
}
