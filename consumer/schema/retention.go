package schema

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"sluice/consumer/clickhouse"
	"sluice/consumer/retention"
)

// ttls lists the different TTLs that the servers have for a table.
func (inv *inventory) ttls(table string) []string {
	var out []string
	for _, o := range inv.objects[table] {
		if ttl := o.clauses["TTL"]; o.engine != "View" && !slices.Contains(out, ttl) {
			out = append(out, ttl)
		}
	}
	return out
}

// loss is how much a shorter retention removes at once.
type loss struct{ rows, bytes uint64 }

func (l loss) String() string {
	rows := "rows"
	if l.rows == 1 {
		rows = "row"
	}
	return fmt.Sprintf("%d %s (about %s)", l.rows, rows, sizeOf(l.bytes))
}

// sizeOf writes a number of bytes with a unit.
func sizeOf(bytes uint64) string {
	switch {
	case bytes >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	case bytes >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	default:
		return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
	}
}

// tableRetention is the retention of one table: what the servers have, and what they should.
type tableRetention struct {
	table   string
	have    []string // TTLs
	flags   string   // that ask for it
	want    string   // the TTL
	said    string   // in words
	done    string   // what is printed once it is set
	shorter func(ttl string) bool
	same    func(ttl string) bool
}

// retention compares the servers' TTLs with the retention that is asked for. A TTL that keeps rows for less time than
// before may remove rows and needs a permission. So does a TTL that replaces one which cannot be compared.
func (c *comparison) retention(a asked, shorten bool, lost func(table, ttl string) (loss, error)) error {
	events, outcomes := c.ttls(c.Table()), c.ttls(c.Outcomes())
	// The counts come first: they follow the events, which after an interruption would be changed already.
	if err := c.keepOutcomes(a, events, outcomes, shorten, lost); err != nil {
		return err
	}
	if !a.events() || len(events) == 0 {
		c.keep(c.Table(), events, "--retention")
		return nil // a table that is not there is made with its TTL
	}
	p, ok := a.policy(events)
	if !ok {
		c.refuse("--project-retention: " + c.Table() + " keeps rows " + saidTTL(events[0]) + ": give --retention as well")
		return nil
	}
	return c.set(tableRetention{
		table: c.Table(), have: events, flags: a.flags(), want: p.TTL(), said: p.String(),
		done: "events are kept for " + p.String() + " after their receipt",
		same: func(ttl string) bool {
			have, ok := retention.Parse(ttl)
			return ok && have.Equal(p)
		},
		shorter: func(ttl string) bool {
			have, ok := retention.Parse(ttl)
			return !ok || p.Shorter(have)
		},
	}, shorten, lost)
}

// keepOutcomes compares the retention of the counts. Where none is asked for, counts that were kept for as long as
// events still are.
func (c *comparison) keepOutcomes(
	a asked, events, outcomes []string, shorten bool, lost func(table, ttl string) (loss, error),
) error {
	d, flag := a.outcomes, "--outcomes-retention"
	if d == nil && a.all != nil && follows(outcomes, events) {
		d, flag = a.all, "--retention"
	}
	if d == nil || len(outcomes) == 0 {
		c.keep(c.Outcomes(), outcomes, flag)
		return nil
	}
	return c.set(tableRetention{
		table: c.Outcomes(), have: outcomes, flags: flag, want: outcomesTTL(*d), said: retention.Days(*d),
		done: "counts of outcomes are kept for " + retention.Days(*d),
		same: func(ttl string) bool { return ttl == outcomesTTL(*d) },
		shorter: func(ttl string) bool {
			have, ok := keepsOutcomes(ttl)
			return !ok || *d < have
		},
	}, shorten, lost)
}

// follows reports whether all counts are kept for as long as events.
func follows(outcomes, events []string) bool {
	for _, ttl := range outcomes {
		d, ok := keepsOutcomes(ttl)
		if !ok || !slices.ContainsFunc(events, func(ttl string) bool {
			p, ok := retention.Parse(ttl)
			return ok && p.All == d
		}) {
			return false
		}
	}
	return true
}

// keep reports a retention that stays.
func (c *comparison) keep(table string, have []string, flag string) {
	if len(have) == 0 {
		return
	}
	what := "retention of " + table
	c.find(finding{state: stateThere, what: what, detail: saidTTL(have[0])})
	if len(have) > 1 {
		detail := "servers keep rows for different times (" + saidTTL(have[0]) + ", " + saidTTL(have[1]) + "): give " + flag
		c.find(finding{stateDiffers, what, detail, true})
	}
}

// set plans a retention, unless the servers have it. A shorter one removes rows and needs a permission.
func (c *comparison) set(k tableRetention, shorten bool, lost func(table, ttl string) (loss, error)) error {
	what := "retention of " + k.table
	at := slices.IndexFunc(k.have, k.shorter)
	shorter := at >= 0
	if !shorter {
		at = slices.IndexFunc(k.have, func(ttl string) bool { return !k.same(ttl) })
	}
	if at < 0 {
		c.find(finding{state: stateThere, what: what, detail: k.said})
		return nil
	}
	now := saidTTL(k.have[at])
	change := change{statement: c.alter(k.table) + "MODIFY TTL " + k.want, done: k.done}
	if !shorter {
		c.find(finding{state: statePending, what: what, detail: k.said + " is asked for, it is " + now})
		c.do(change)
		return nil
	}
	l, err := lost(k.table, k.want)
	if err != nil {
		return err
	}
	c.find(finding{state: statePending, what: what, detail: fmt.Sprintf(
		"%s is asked for, it is %s; %s would be removed at once, which takes --shorten-retention", k.said, now, l)})
	if shorten {
		change.done += fmt.Sprintf(" (before: %s); this removes %s", now, l)
		c.do(change)
		return nil
	}
	c.refuse(fmt.Sprintf("%s: %s (now: %s) would remove %s from %s at once; add --shorten-retention if that is meant",
		k.flags, k.said, now, l, k.table))
	return nil
}

// refuse notes why something that was asked for is not done.
func (c *comparison) refuse(why string) {
	if c.refused != "" {
		c.refused += "; "
	}
	c.refused += why
}

// lostBy counts the rows that a TTL would remove, and estimates their bytes by their share of each table partition.
func lostBy(ctx context.Context, db *sql.DB, v variant, table, ttl string) (loss, error) {
	rows, parts := v.Database+"."+table, "system.parts"
	if v.Cluster != "" {
		rows = "cluster(" + clickhouse.Quote(v.Cluster) + ", " + rows + ")" // one replica of each shard
		parts = "cluster(" + clickhouse.Quote(v.Cluster) + ", " + parts + ")"
	}
	query := fmt.Sprintf(`SELECT sum(gone), toUInt64(sum(bytes * gone / all)) FROM
(SELECT _partition_id AS id, count() AS all, countIf(%s <= now()) AS gone FROM %s GROUP BY id) AS r
LEFT JOIN (SELECT partition_id AS id, sum(bytes_on_disk) AS bytes FROM %s
WHERE database = %s AND table = %s AND active GROUP BY id) AS p USING (id)`,
		ttl, rows, parts, clickhouse.Quote(v.Database), clickhouse.Quote(table))
	var l loss
	if err := db.QueryRowContext(ctx, query).Scan(&l.rows, &l.bytes); err != nil {
		return l, fmt.Errorf("count the rows of %s that a shorter retention would remove: %w", table, err)
	}
	return l, nil
}
