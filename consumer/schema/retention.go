package schema

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"sluice/consumer/clickhouse"
	"sluice/internal/settings"
)

// The limits of --retention. ClickHouse counts a table's TTL in seconds of 32 bits, which end in 2106. A TTL beyond
// that starts again in 1970, and ClickHouse would remove all rows at once.
const (
	defaultRetention = 90 * 24 * time.Hour // of a new table
	minRetention     = 24 * time.Hour
	maxRetention     = 18250 * 24 * time.Hour
)

// checkRetention reports a retention that cannot be set. Nil keeps what the table has.
func checkRetention(asked *settings.Duration) error {
	if asked == nil {
		return nil
	}
	if d := time.Duration(*asked); d < minRetention || d > maxRetention || d%time.Second != 0 {
		return fmt.Errorf("--retention: at least %s and at most %s, in whole seconds; "+
			"leave it out to keep what the table has",
			days(minRetention), days(maxRetention))
	}
	return nil
}

// days writes a duration as the setting is written.
func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return strconv.Itoa(int(d/(24*time.Hour))) + "d"
	}
	return d.String()
}

// ttlOf is the TTL that keeps rows for a duration after their receipt.
func ttlOf(d time.Duration) string {
	return fmt.Sprintf("toDateTime(received_at) + toIntervalSecond(%d)", int64(d.Seconds()))
}

// outcomesTTL is the TTL that keeps counts for a duration.
func outcomesTTL(d time.Duration) string {
	return fmt.Sprintf("minute + toIntervalSecond(%d)", int64(d.Seconds()))
}

// simpleTTL matches a TTL of a duration after receipt.
var simpleTTL = regexp.MustCompile(
	`^toDateTime\(received_at\) \+ toInterval(Second|Minute|Hour|Day|Week)\((\d{1,10})\)( DELETE)?$`)

// keeps returns for how long a TTL keeps rows. It is not ok if the TTL says something else than a duration after
// receipt.
func keeps(ttl string) (d time.Duration, ok bool) {
	m := simpleTTL.FindStringSubmatch(ttl)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(m[2], 10, 64)
	unit := map[string]time.Duration{
		"Second": time.Second, "Minute": time.Minute, "Hour": time.Hour, "Day": 24 * time.Hour, "Week": 7 * 24 * time.Hour,
	}[m[1]]
	if err != nil || n > int64(maxRetention/unit)*10 {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

// engineTTL matches the TTL in the definition of an engine, as system.tables has it.
var engineTTL = regexp.MustCompile(` TTL (.*?)( SETTINGS |$)`)

// RetentionOf returns for how long a table keeps rows after their receipt. engine is the table's engine_full of
// system.tables. It is not ok if the table keeps rows for ever, or has a TTL that was made by hand.
func RetentionOf(engine string) (d time.Duration, ok bool) {
	m := engineTTL.FindStringSubmatch(engine)
	if m == nil {
		return 0, false
	}
	return keeps(m[1])
}

// saidTTL is a TTL in words.
func saidTTL(ttl string) string {
	if ttl == "" {
		return "for ever"
	}
	if d, ok := keeps(ttl); ok {
		return days(d)
	}
	return "by TTL " + ttl
}

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

// newTTL is the TTL of a table that is made: that of the other servers, else the retention asked for, else the default.
func newTTL(have []string, asked *settings.Duration) string {
	switch {
	case len(have) > 0:
		return have[0]
	case asked != nil:
		return ttlOf(time.Duration(*asked))
	default:
		return ttlOf(defaultRetention)
	}
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

// retention compares the servers' TTLs with the retention asked for. A TTL that keeps rows for less time than before
// may remove rows and needs a permission. So does a TTL that replaces one which cannot be compared.
func (c *comparison) retention(
	have []string, asked *settings.Duration, shorten bool, lost func(time.Duration) (loss, error),
) error {
	if len(have) == 0 {
		return nil // the table is made with its TTL
	}
	what := "retention of " + c.Table()
	if asked == nil {
		c.find(finding{state: stateThere, what: what, detail: saidTTL(have[0])})
		if len(have) > 1 {
			detail := "servers keep rows for different times (" + saidTTL(have[0]) + ", " + saidTTL(have[1]) + "): give --retention"
			c.find(finding{stateDiffers, what, detail, true})
		}
		return nil
	}
	d := time.Duration(*asked)
	now, shorter := against(have, d)
	switch {
	case now == "":
		c.find(finding{state: stateThere, what: what, detail: days(d)})
		return nil
	case shorter:
		l, err := lost(d)
		if err != nil {
			return err
		}
		c.shorten(what, d, now, l, shorten)
	default:
		c.find(finding{state: statePending, what: what, detail: days(d) + " is asked for, it is " + now})
		c.do(c.modifyTTL(d, ""))
	}
	return nil
}

// countsRetention keeps counts for as long as events, once a retention is given and in force.
func (c *comparison) countsRetention(have []string, asked *settings.Duration) {
	if asked == nil || c.refused != "" {
		return
	}
	d := time.Duration(*asked)
	if !slices.ContainsFunc(have, func(ttl string) bool { return ttl != outcomesTTL(d) }) {
		return
	}
	c.find(finding{state: statePending, what: "retention of " + c.Outcomes(), detail: days(d) + " is asked for"})
	c.do(change{
		statement: c.alter(c.Outcomes()) + "MODIFY TTL " + outcomesTTL(d),
		done:      "counts of outcomes are kept for " + days(d),
	})
}

// against compares TTLs with a retention. It returns a TTL that differs, in words, or nothing. shorter reports whether
// rows would be kept for less time than one of the TTLs says.
func against(have []string, d time.Duration) (now string, shorter bool) {
	for _, ttl := range have {
		keep, known := keeps(ttl)
		if !known || keep > d {
			return saidTTL(ttl), true
		}
		if keep < d {
			now = saidTTL(ttl)
		}
	}
	return now, false
}

// shorten plans a shorter retention if that is allowed, and otherwise reports how much it would remove.
func (c *comparison) shorten(what string, d time.Duration, now string, l loss, allowed bool) {
	detail := fmt.Sprintf("%s is asked for, it is %s; %s would be removed at once, which takes --shorten-retention",
		days(d), now, l)
	c.find(finding{state: statePending, what: what, detail: detail})
	if allowed {
		c.do(c.modifyTTL(d, fmt.Sprintf(" (before: %s); this removes %s", now, l)))
		return
	}
	c.refused = fmt.Sprintf("--retention: %s (now: %s) would remove %s from %s at once; "+
		"add --shorten-retention if that is meant", days(d), now, l, c.Table())
}

// modifyTTL is the change to a retention.
func (c *comparison) modifyTTL(d time.Duration, said string) change {
	return change{
		statement: c.alter(c.Table()) + "MODIFY TTL " + ttlOf(d),
		done:      "events are kept for " + days(d) + " after their receipt" + said,
	}
}

// lostBy counts the rows that are older than a retention, and estimates their bytes by their share of each table
// partition.
func lostBy(ctx context.Context, db *sql.DB, v variant, d time.Duration) (loss, error) {
	rows, parts := v.Database+"."+v.Table(), "system.parts"
	if v.Cluster != "" {
		rows = "cluster(" + clickhouse.Quote(v.Cluster) + ", " + rows + ")" // one replica of each shard
		parts = "cluster(" + clickhouse.Quote(v.Cluster) + ", " + parts + ")"
	}
	query := fmt.Sprintf(`SELECT sum(gone), toUInt64(sum(bytes * gone / all)) FROM
(SELECT _partition_id AS id, count() AS all, countIf(%s <= now()) AS gone FROM %s GROUP BY id) AS r
LEFT JOIN (SELECT partition_id AS id, sum(bytes_on_disk) AS bytes FROM %s
WHERE database = %s AND table = %s AND active GROUP BY id) AS p USING (id)`,
		ttlOf(d), rows, parts, clickhouse.Quote(v.Database), clickhouse.Quote(v.Table()))
	var l loss
	if err := db.QueryRowContext(ctx, query).Scan(&l.rows, &l.bytes); err != nil {
		return l, fmt.Errorf("count the rows older than %s: %w", days(d), err)
	}
	return l, nil
}
