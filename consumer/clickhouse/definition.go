package clickhouse

import (
	"context"
	"fmt"
	"strings"

	"sluice/consumer/retention"
)

// ByDay is the partition key of the table of events: the day of the event's identity, by its number modulo 128. A
// table of an earlier version has the month.
const ByDay = "toRelativeDayNum(id_time) % 128"

// ByMonth reports whether the partitions of the table of events are months, as in a table that an earlier version made.
// It asks the server.
func (t *Table) ByMonth(ctx context.Context) (bool, error) {
	keys, err := t.definition(ctx, "partition_key")
	if err != nil {
		return false, err
	}
	if len(keys) != 1 {
		return false, fmt.Errorf("read the partition key of %s: the user does not see the table", TableName)
	}
	return strings.Join(strings.Fields(keys[0]), " ") != ByDay, nil
}

// retention asks the server for how long the table of events keeps rows. It is not ok if the table says so in another
// way than Sluice does.
func (t *Table) retention(ctx context.Context) (p retention.Policy, ok bool, err error) {
	engines, err := t.definition(ctx, "engine_full")
	if err != nil || len(engines) != 1 {
		return p, false, err
	}
	p, ok = retention.OfEngine(engines[0])
	return p, ok, nil
}

// definition asks the server for a column of system.tables about the table of events. The answer is empty if the user
// does not see the table.
func (t *Table) definition(ctx context.Context, column string) ([]string, error) {
	cfg := t.topology.cfg
	opts, err := cfg.Options()
	if err != nil {
		return nil, err
	}
	table := TableName
	if cfg.Cluster != "" {
		table = LocalTable
	}
	return discovery{cfg}.ask(ctx, "SELECT "+column+" FROM system.tables"+
		" WHERE database = "+Quote(opts.Auth.Database)+" AND name = "+Quote(table))
}
