package audit

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"sluice/consumer/erased"
	"sluice/internal/outcome"
)

// drops is what steps dropped, as outcomes_raw has it.
type drops struct {
	// within has the ranges in which events were dropped, by partition.
	within map[int][]allowance
	// elsewhere counts the events of sources that do not say their range, as consumers before this version wrote them.
	elsewhere map[dropKey]int64
}

// dropKey is what a dropped event is counted by.
type dropKey struct {
	project, protocol string
	minute            int64
}

// longestSpooled is how long before its record an event may have been received, by the minute it is counted in.
const longestSpooled = 25 * time.Hour

// dropped reads what steps dropped since a time, of a topic. Without erased it leaves out events that the consumer held
// back because they are erased: their records say so themselves.
func (d *database) dropped(ctx context.Context, topic string, since time.Time, withoutErased bool) (drops, error) {
	out := drops{within: map[int][]allowance{}, elsewhere: map[dropKey]int64{}}
	query := "SELECT source, project_id, protocol, toInt64(toUnixTimestamp(minute)), toInt64(sum(n)) FROM " +
		"(SELECT source, toString(project_id) AS project_id, toString(protocol) AS protocol, minute, reason, max(events) AS n " +
		"FROM {db}.outcomes_raw WHERE outcome = 'filtered'"
	if !since.IsZero() {
		query += fmt.Sprintf(" AND minute >= toDateTime(%d, 'UTC')", max(0, since.Add(-longestSpooled).Unix()))
	}
	if withoutErased {
		query += " AND reason != '" + erased.Step + "'"
	}
	query += " GROUP BY ALL) GROUP BY ALL"
	err := d.ask(ctx, query, func(r *sql.Rows) error {
		var source uuid.UUID
		var key dropKey
		var n int64
		if err := r.Scan(&source, &key.project, &key.protocol, &key.minute, &n); err != nil {
			return err
		}
		if at, ok := outcome.RangeOf(source, topic); ok {
			some := allowance{span: span{at.First, at.Last}, dropped: n}
			out.within[at.Partition] = append(out.within[at.Partition], some)
		} else if !outcome.IsRange(source) {
			out.elsewhere[key] += n
		}
		return nil
	})
	return out, err
}

// countedDead returns which dead letters are counted in outcomes_raw.
func (d *database) countedDead(ctx context.Context, letters []outcome.Row) (map[uuid.UUID]bool, error) {
	counted := map[uuid.UUID]bool{}
	if len(letters) == 0 {
		return counted, nil
	}
	query := "SELECT DISTINCT source FROM {db}.outcomes_raw WHERE outcome = 'dead_lettered' AND " + named(letters)
	err := d.ask(ctx, query, func(r *sql.Rows) error {
		var source uuid.UUID
		err := r.Scan(&source)
		counted[source] = true
		return err
	})
	return counted, err
}

// counts returns how much outcomes_raw has of what gateways counted, by the row without its number.
func (d *database) counts(ctx context.Context, rows []outcome.Row) (map[outcome.Row]int64, error) {
	there := map[outcome.Row]int64{}
	if len(rows) == 0 {
		return there, nil
	}
	query := "SELECT toString(project_id), toInt64(toUnixTimestamp(minute)), toString(protocol), toString(outcome), " +
		"toString(reason), toString(category), source, toInt64(max(events)) FROM {db}.outcomes_raw " +
		"WHERE " + named(rows) + " GROUP BY ALL"
	err := d.ask(ctx, query, func(r *sql.Rows) error {
		var row outcome.Row
		var n int64
		err := r.Scan(&row.Project, &row.Minute, &row.Protocol, &row.Outcome, &row.Reason, &row.Category,
			&row.Source, &n)
		there[row] = n
		return err
	})
	return there, err
}

// named is the condition that a row has one of the minutes and one of the sources of some rows.
func named(rows []outcome.Row) string {
	minutes, sources := map[string]bool{}, map[string]bool{}
	for _, r := range rows {
		minutes[fmt.Sprintf("toDateTime(%d,'UTC')", r.Minute)] = true
		sources["'"+r.Source.String()+"'"] = true
	}
	list := func(texts map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(texts)), ",") }
	return "minute IN (" + list(minutes) + ") AND source IN (" + list(sources) + ")"
}
