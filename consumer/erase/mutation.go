package erase

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/google/uuid"

	"sluice/consumer/clickhouse"
	"sluice/internal/backoff"
	"sluice/internal/erasure"
)

// mutationRounds is how often rows are deleted that are there after a deletion: an insert that was under way may have
// ended late.
const mutationRounds = 3

// deleteRows deletes the rows of marks from a table, on all replicas, and returns how many there were on one replica of
// each shard.
func (e *Eraser) deleteRows(ctx context.Context, t deletion) (deleted int64, err error) {
	for range mutationRounds {
		there, err := e.db.count(ctx, "SELECT toInt64(count()) FROM "+e.db.once(t.table)+" WHERE "+t.condition)
		if err != nil {
			return deleted, err
		}
		left, err := e.db.count(ctx, "SELECT toInt64(count()) FROM "+e.db.everywhere(t.table)+" WHERE "+t.condition)
		if err != nil || left == 0 {
			return deleted, err
		}
		e.progress("deleting %d rows of %s", there, t.table)
		if err := e.mutate(ctx, t); err != nil {
			return deleted, err
		}
		deleted += there
	}
	left, err := e.db.count(ctx, "SELECT toInt64(count()) FROM "+e.db.everywhere(t.table)+" WHERE "+t.condition)
	if err == nil && left > 0 {
		err = fmt.Errorf("%d rows are in %s after they were deleted %d times: is an old consumer inserting them?",
			left, t.table, mutationRounds)
	}
	return deleted, err
}

// mutate has ClickHouse rewrite the parts that have rows to delete, and waits for all replicas.
func (e *Eraser) mutate(ctx context.Context, t deletion) error {
	name := "sluice-erase-" + uuid.NewString() // stands in the mutation's text, which tells it from others
	on := ""
	if e.db.cluster != "" {
		on = " ON CLUSTER " + clickhouse.Quote(e.db.cluster)
	}
	if err := e.db.run(ctx, fmt.Sprintf("ALTER TABLE %s.%s%s DELETE WHERE (%s) AND '%s' != '' SETTINGS mutations_sync = 0",
		e.db.name, t.table, on, t.condition, name)); err != nil {
		return fmt.Errorf("delete the rows of %s: %w", t.table, err)
	}
	query := "SELECT count(), toInt64(sum(parts_to_do)), countIf(NOT is_done), max(latest_fail_reason) FROM " +
		e.db.everywhere("system.mutations") + " WHERE database = " + clickhouse.Quote(e.db.name) + " AND table = " +
		clickhouse.Quote(t.table) + " AND position(command, " + clickhouse.Quote(name) + ") > 0"
	said := time.Now()
	for {
		var found, open uint64
		var parts int64
		var failed string
		if err := e.db.ask(ctx, query, func(r *sql.Rows) error { return r.Scan(&found, &parts, &open, &failed) }); err != nil {
			return err
		}
		switch {
		case found > 0 && open == 0:
			return nil
		case failed != "" && open > 0:
			return fmt.Errorf("ClickHouse cannot delete the rows of %s, and tries again: %.300s; "+
				"when the cause is gone, run the command again", t.table, failed)
		}
		if time.Since(said) > progressEvery {
			said = time.Now()
			e.progress("%s: %d parts to rewrite (SYSTEM STOP MERGES would stop this too)", t.table, parts)
		}
		if !sleep(ctx, pollEvery) {
			return fmt.Errorf("interrupted while ClickHouse deletes the rows of %s, which goes on: %w", t.table, ctx.Err())
		}
	}
}

// progressEvery is the time between two lines about a step that takes long.
const progressEvery = 5 * time.Second

func sleep(ctx context.Context, d time.Duration) bool { return backoff.Sleep(ctx, d) }

// countRows counts what would be deleted.
func (e *Eraser) countRows(ctx context.Context, marks []erasure.Mark) (rows, counts int64, err error) {
	for i, t := range e.db.deletions(marks) {
		n, err := e.db.count(ctx, "SELECT toInt64(count()) FROM "+e.db.once(t.table)+" WHERE "+t.condition)
		if err != nil {
			return 0, 0, err
		}
		if i == 0 {
			rows = n
		} else {
			counts = n
		}
	}
	return rows, counts, nil
}
