package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/google/uuid"

	"sluice/consumer/clickhouse"
	"sluice/consumer/retention"
)

const (
	// queryTimeout bounds one question to ClickHouse.
	queryTimeout = 5 * time.Minute
	// maxErrorText bounds what is repeated of an error, in bytes.
	maxErrorText = 400
)

// database asks ClickHouse. It changes nothing.
type database struct {
	db   *sql.DB
	name string
}

// openDatabase prepares the questions. The first one connects. The questions name the database, and the connection
// does not: a server refuses a connection to a database that is missing before it says which.
func openDatabase(cfg clickhouse.Config) (*database, error) {
	opts, err := cfg.Options()
	if err != nil {
		return nil, err
	}
	return &database{db: clickhouse.OpenDB(opts, "default"), name: opts.Auth.Database}, nil
}

func (d *database) close() { _ = d.db.Close() }

// ask sends a question, and calls scan for each row of the answer.
func (d *database) ask(ctx context.Context, query string, scan func(*sql.Rows) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	rows, err := d.db.QueryContext(ctx, strings.ReplaceAll(query, "{db}", d.name))
	if err != nil {
		return d.explain(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("read an answer of ClickHouse: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return d.explain(err)
	}
	return nil
}

var (
	// errNoTable says that a table is missing.
	errNoTable = errors.New("the table is missing")
	// errMayNot says that the user lacks a right.
	errMayNot = errors.New("the user may not read the table")
)

// explain says what to do about an error that a wrong setting causes.
func (d *database) explain(err error) error {
	text := err.Error()
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + "…" // it may repeat the question
	}
	switch clickhouse.Code(err) {
	case 60, 81:
		return fmt.Errorf("%w: %s; run `consumer migrate`, or check --clickhouse-dsn", errNoTable, text)
	case 497, 516:
		return fmt.Errorf("%w: %s; the user needs SELECT on %s.*: check --clickhouse-dsn", errMayNot, text, d.name)
	}
	return fmt.Errorf("ask ClickHouse: %s", text)
}

// place is the part of a partition that is checked: the rows of offsets from first up to, not including, end that were
// inserted since a time. The time tells them from rows of a topic that had the same name before.
type place struct {
	topic      string
	partition  int
	first, end int64
	since      time.Time // zero: any time
}

func (p place) condition(first, end int64) string {
	text := fmt.Sprintf("_topic = %s AND _partition = %d AND _offset >= %d AND _offset < %d", clickhouse.Quote(p.topic),
		p.partition, first, end)
	if !p.since.IsZero() {
		text += fmt.Sprintf(" AND inserted_at >= fromUnixTimestamp64Milli(toInt64(%d))", p.since.UnixMilli())
	}
	return text
}

const (
	// smallestBucket bounds how fine the first question is, in offsets.
	smallestBucket = 1 << 14
	// mostBuckets bounds its answer.
	mostBuckets = 1 << 10
)

// bucketSize is the size of the buckets of some places: a power of two.
func bucketSize(places []place) int64 {
	size := int64(smallestBucket)
	for _, p := range places {
		for (p.end-p.first)/size >= mostBuckets {
			size *= 2
		}
	}
	return size
}

// notFull lists, for each place, the buckets in which not every offset has exactly one row. The places are of
// partitions that follow one another, and the question is one for all of them: rows of different partitions lie beside
// each other in the table. Besides the number of rows it compares their sum, so that a row that is there twice does not
// stand in for one that is missing.
func (d *database) notFull(ctx context.Context, places []place) ([][]span, error) {
	size := bucketSize(places)
	conditions, firsts := make([]string, len(places)), make([]string, len(places))
	rows := make([]map[int64][2]uint64, len(places))
	for i, p := range places {
		conditions[i], firsts[i] = p.condition(p.first, p.end), fmt.Sprintf("toInt64(%d)", p.first)
		rows[i] = map[int64][2]uint64{}
	}
	query := fmt.Sprintf("SELECT toInt64(_partition - %[1]d) AS i, intDiv(_offset - [%[2]s][i + 1] AS o, %[3]d) AS b, "+
		"count(), sum(toUInt64(o - b * %[3]d)) FROM {db}.events_raw WHERE %[4]s GROUP BY i, b", places[0].partition,
		strings.Join(firsts, ","), size, "("+strings.Join(conditions, ") OR (")+")")
	err := d.ask(ctx, query, func(r *sql.Rows) error {
		var i, b int64
		var n, sum uint64
		err := r.Scan(&i, &b, &n, &sum)
		rows[i][b] = [2]uint64{n, sum}
		return err
	})
	if err != nil {
		return nil, err
	}
	buckets := make([][]span, len(places))
	for i, p := range places {
		for b, first := int64(0), p.first; first < p.end; b, first = b+1, first+size {
			s := span{first, min(first+size, p.end) - 1}
			n := uint64(s.length())
			if rows[i][b] != [2]uint64{n, n * (n - 1) / 2} {
				buckets[i] = append(buckets[i], s)
			}
		}
	}
	return buckets, nil
}

// runs are what a bucket lacks.
type runs struct {
	missing []span
	doubled int64
}

// lacks lists the runs of offsets of a bucket that have no row, and counts rows whose offset has another one.
func (d *database) lacks(ctx context.Context, p place, bucket span) (out runs, err error) {
	query := fmt.Sprintf("SELECT p.1, p.2 FROM (SELECT arrayJoin(arrayZip(arrayConcat([toInt64(%d)], o), "+
		"arrayConcat(o, [toInt64(%d)]))) AS p FROM (SELECT arraySort(groupArray(_offset)) AS o FROM {db}.events_raw "+
		"WHERE %s)) WHERE p.2 - p.1 != 1 ORDER BY p.1", bucket.first-1, bucket.last+1,
		p.condition(bucket.first, bucket.last+1))
	err = d.ask(ctx, query, func(r *sql.Rows) error {
		var before, next int64
		if err := r.Scan(&before, &next); err != nil {
			return err
		}
		if next == before {
			out.doubled++
		} else {
			out.missing = append(out.missing, span{before + 1, next - 1})
		}
		return nil
	})
	return out, err
}

// withoutRow yields the runs of offsets of a place that have no row, in order. buckets are those that are not full.
func (d *database) withoutRow(ctx context.Context, p place, buckets []span, doubled *int64) iter.Seq2[span, error] {
	return func(yield func(span, error) bool) {
		for _, b := range buckets {
			found, err := d.lacks(ctx, p, b)
			*doubled += found.doubled
			if err != nil {
				yield(span{}, err)
				return
			}
			for _, s := range found.missing {
				if !yield(s, nil) {
					return
				}
			}
		}
	}
}

// rowsAt returns which of some offsets have a row.
func (d *database) rowsAt(ctx context.Context, p place, offsets []int64) (map[int64]bool, error) {
	texts := make([]string, len(offsets))
	for i, o := range offsets {
		texts[i] = fmt.Sprint(o)
	}
	there := map[int64]bool{}
	query := fmt.Sprintf("SELECT DISTINCT _offset FROM {db}.events_raw WHERE %s AND _offset IN (%s)",
		p.condition(offsets[0], offsets[len(offsets)-1]+1), strings.Join(texts, ","))
	err := d.ask(ctx, query, func(r *sql.Rows) error {
		var o int64
		err := r.Scan(&o)
		there[o] = true
		return err
	})
	return there, err
}

// beyond returns the highest offset of a partition's rows that is not below an offset, or -1.
func (d *database) beyond(ctx context.Context, topic string, partition int, offset int64) (highest int64, err error) {
	highest = -1
	query := fmt.Sprintf("SELECT max(_offset) FROM {db}.events_raw WHERE _topic = %s AND _partition = %d AND "+
		"_offset >= %d HAVING count() > 0", clickhouse.Quote(topic), partition, offset)
	err = d.ask(ctx, query, func(r *sql.Rows) error { return r.Scan(&highest) })
	return highest, err
}

// identity is what rows are merged by: project, minute of the id's time, and id.
type identity struct {
	project string
	minute  int64 // Unix seconds
	id      uuid.UUID
}

// stored returns which of some identities have a row, of whatever record. The condition is the table's sorting key, so
// that ClickHouse finds the rows by its index.
func (d *database) stored(ctx context.Context, ids []identity) (map[identity]bool, error) {
	there := map[identity]bool{}
	if len(ids) == 0 {
		return there, nil
	}
	keys := make([]string, len(ids))
	for i, one := range ids {
		month := time.Unix(one.minute, 0).UTC()
		keys[i] = fmt.Sprintf("(%d,%s,toDateTime(%d,'UTC'),UUIDToNum(toUUID('%s')))",
			month.Year()*100+int(month.Month()), clickhouse.Quote(one.project), one.minute, one.id)
	}
	query := "SELECT DISTINCT toString(project_id), toInt64(toUnixTimestamp(toStartOfMinute(id_time))), event_id " +
		"FROM {db}.events_raw WHERE (toYYYYMM(id_time), project_id, toStartOfMinute(id_time), UUIDToNum(event_id)) " +
		"IN (" + strings.Join(keys, ",") + ")"
	err := d.ask(ctx, query, func(r *sql.Rows) error {
		var one identity
		err := r.Scan(&one.project, &one.minute, &one.id)
		there[one] = true
		return err
	})
	return there, err
}

// retention returns for how long the table keeps rows after their receipt. It is nil if that is for ever, or if the
// table's TTL says something else.
func (d *database) retention(ctx context.Context) (keeps *retention.Policy, err error) {
	query := fmt.Sprintf("SELECT engine_full FROM system.tables WHERE database = '{db}' AND name IN ('%s', '%s') "+
		"AND engine != 'Distributed'", clickhouse.TableName, clickhouse.LocalTable)
	err = d.ask(ctx, query, func(r *sql.Rows) error {
		var engine string
		err := r.Scan(&engine)
		if p, ok := retention.OfEngine(engine); ok {
			keeps = &p
		}
		return err
	})
	return keeps, err
}
