package columns

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"sluice/consumer/clickhouse"
)

// batchPartitions is how many table partitions one mutation rewrites. After each batch an interrupted backfill stops,
// and the disk needs no more room than the parts of one batch. On a single server ClickHouse gives every part of the
// table a new name for each mutation, for which it links the part's files, so the batches are not smaller.
const batchPartitions = 16

// attempts is how often a partition may be rewritten without all of its parts having the column afterwards. A part that
// was being written while the column was added may lack it.
const attempts = 3

// Backfill writes the values of a column into the parts that lack it. It goes on where an earlier one was interrupted.
func (m *Manager) Backfill(ctx context.Context, name string) error {
	return m.connect(ctx, func(s *session) error {
		if _, err := s.find(ctx, name); err != nil {
			return err
		}
		if err := s.backfill(ctx, name); err != nil || !m.json {
			return err
		}
		return s.printOne(ctx, name)
	})
}

// parts are the parts of the table, and those that lack a column.
type parts struct {
	all, lack  int
	partitions []string // ids of those with parts that lack it
}

// lacking looks for the parts that lack a column.
func (s *session) lacking(ctx context.Context, name string) (parts, error) {
	var out parts
	query := "SELECT partition_id, count(), countIf((server, name) NOT IN (SELECT hostName() || toString(tcpPort()), name FROM " +
		s.system("parts_columns") + " WHERE active AND " + s.ofTable() + " AND column = " + clickhouse.Quote(name) + ")) FROM " +
		"(SELECT partition_id, name, hostName() || toString(tcpPort()) AS server FROM " + s.system("parts") + " WHERE active AND " +
		s.ofTable() + ") GROUP BY partition_id ORDER BY partition_id"
	err := s.ask(ctx, query, func(r *sql.Rows) error {
		var id string
		var all, lack int
		if err := r.Scan(&id, &all, &lack); err != nil {
			return err
		}
		out.all += all
		out.lack += lack
		if lack > 0 {
			out.partitions = append(out.partitions, id)
		}
		return nil
	})
	return out, err
}

// batches yields the partitions in batches.
func (p parts) batches() iter.Seq[[]string] { return slices.Chunk(p.partitions, batchPartitions) }

// materialize is the statement that writes a column into the parts of some partitions.
func (s *session) materialize(name string, partitions []string) string {
	var commands []string
	for _, id := range partitions {
		commands = append(commands, "MATERIALIZE COLUMN `"+name+"` IN PARTITION ID "+clickhouse.Quote(id))
	}
	return s.alter() + strings.Join(commands, ", ") + " SETTINGS mutations_sync = 0"
}

// mutation is a change of rows that ClickHouse has not finished.
type mutation struct {
	id, fault string
}

// mutations lists the backfills of a column that are under way.
func (s *session) mutations(ctx context.Context, name string) ([]mutation, error) {
	found := map[string]mutation{}
	query := "SELECT mutation_id, latest_fail_reason FROM " + s.system("mutations") + " WHERE NOT is_done AND NOT is_killed AND " +
		s.ofTable() + " AND match(command, '^[(]?MATERIALIZE COLUMN `?" + name + "`?([ )]|$)')"
	err := s.ask(ctx, query, func(r *sql.Rows) error {
		var m mutation
		if err := r.Scan(&m.id, &m.fault); err != nil {
			return err
		}
		if m.fault != "" || found[m.id].id == "" {
			found[m.id] = m
		}
		return nil
	})
	return slices.SortedFunc(maps.Values(found), func(a, b mutation) int { return strings.Compare(a.id, b.id) }), err
}

// run is one backfill.
type run struct {
	*session
	name     string
	began    time.Time
	total    int // parts that lacked the column at the beginning
	finished int // of them
	tried    map[string]int
	lineAt   time.Time // of the last line of progress
}

// backfill writes the column into all parts that lack it, batch by batch.
func (s *session) backfill(ctx context.Context, name string) error {
	r := &run{session: s, name: name, began: time.Now(), tried: map[string]int{}}
	for {
		done, err := r.step(ctx)
		if done {
			r.done()
			return nil
		}
		if err == nil {
			err = pause(ctx, s.poll)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted with %d of %d parts backfilled: `consumer columns backfill %s` goes on; "+
				"until then the column is computed from the payload in the others", r.finished, r.total, name)
		}
		if err != nil {
			return err
		}
	}
}

// step begins the next batch, unless one is under way. It reports whether there is nothing left to do.
func (r *run) step(ctx context.Context) (done bool, err error) {
	running, err := r.mutations(ctx, r.name) // before the parts: what ends now leaves no part without the column
	if err != nil {
		return false, err
	}
	now, err := r.lacking(ctx, r.name)
	if err != nil || len(running) == 0 && now.lack == 0 {
		return err == nil, err
	}
	r.total = max(r.total, now.lack)
	r.finished = r.total - now.lack
	r.report()
	for _, m := range running {
		if m.fault != "" {
			// ClickHouse would try for ever, and do nothing else that changes rows before.
			err := fmt.Errorf("ClickHouse cannot backfill the column %s: %.400s; "+
				"mend that, then `consumer columns backfill %s` goes on", r.name, m.fault, r.name)
			return false, errors.Join(err, r.exec(ctx, r.kill(running)))
		}
	}
	if len(running) > 0 {
		return false, nil
	}
	batch := now.partitions[:min(len(now.partitions), batchPartitions)]
	for _, id := range batch {
		if r.tried[id]++; r.tried[id] > attempts {
			return false, fmt.Errorf("the partition %s lacks the column %s after %d tries: see system.mutations", id, r.name, attempts)
		}
	}
	return false, r.exec(ctx, r.materialize(r.name, batch))
}

// report prints how far the backfill is, now and then.
func (r *run) report() {
	if time.Since(r.lineAt) < r.quiet {
		return
	}
	r.lineAt = time.Now()
	_, _ = fmt.Fprintf(r.progress, "backfill of %s: %d of %d parts done\n", r.name, r.finished, r.total)
}

// done prints the end.
func (r *run) done() {
	switch {
	case r.json:
	case r.total == 0:
		r.printf("no part lacks the column: there is nothing to backfill")
	default:
		r.printf("backfilled %d parts in %s", r.total, time.Since(r.began).Round(time.Millisecond))
	}
}

// pause waits, or returns the error of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
