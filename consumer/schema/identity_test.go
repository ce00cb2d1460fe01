package schema

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"

	"github.com/google/uuid"
)

// sent is an event that a client sends twice.
type sent struct {
	name       string
	id         uuid.UUID
	received   time.Time
	timestamps [2]string // as written in the first copy and in the second; empty: absent
}

// resends are the ways in which a client can send an event again. Its fields are the same, but a client with a UUIDv7
// may write another timestamp.
func resends() []sent {
	monthEnd := time.Date(2026, 11, 30, 23, 59, 59, 999_000_000, time.UTC)
	yearEnd := time.Date(2026, 12, 31, 23, 59, 59, 999_000_000, time.UTC)
	n := uint64(0)
	v4 := func() uuid.UUID { n++; return rowstest.ID(n) }
	v7 := func(at time.Time) uuid.UUID { n++; return rowstest.IDAt(at, n) }
	both := func(ts string) [2]string { return [2]string{ts, ts} }
	all := []sent{
		{"v4", v4(), rowstest.Noon, both("")},
		{"v4 with timestamp", v4(), rowstest.Noon, both(`"2026-11-23T11:59:59Z"`)},
		{"v4 with a number", v4(), rowstest.Noon, both("1795435198.25")},
		{"v4 with nonsense", v4(), rowstest.Noon, both(`"yesterday"`)},
		{"v4 from the far future", v4(), rowstest.Noon, both("4000000000000")},
		{"v7", v7(rowstest.Noon), rowstest.Noon, both("")},
		{"v7 with timestamp", v7(rowstest.Noon), rowstest.Noon, both(`"2026-11-23T11:59:59Z"`)},
		{"v7 with two timestamps", v7(rowstest.Noon), rowstest.Noon, [2]string{`"2026-11-23T11:59:59Z"`, `"2026-12-24T11:59:59Z"`}},
		{"v7 with a timestamp once", v7(rowstest.Noon), rowstest.Noon, [2]string{"", `"2026-12-24T11:59:59Z"`}},
		{"v4 across the month", v4(), monthEnd, both("")},
		{"v4 with timestamp across the month", v4(), monthEnd, both(`"2026-11-30T23:59:59.999Z"`)},
		{"v7 across the month", v7(monthEnd), monthEnd, both("")},
		{"v4 across the year", v4(), yearEnd, both("")},
		{"v7 across the year", v7(yearEnd), yearEnd, both("")},
	}
	for _, edge := range []string{"2019-12-31T23:59:59.999Z", "2020-01-01T00:00:00Z", "2039-12-31T23:59:59.999Z", "2040-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2106-02-07T06:28:16Z"} {
		at, err := time.Parse(time.RFC3339, edge)
		if err != nil {
			panic(err)
		}
		all = append(all, sent{"v4 of " + edge, v4(), rowstest.Noon, both(`"` + edge + `"`)}, sent{"v7 of " + edge, v7(at), rowstest.Noon, both("")})
	}
	return all
}

// copies are the two records of an event. The second was received a day later and has another message.
func (s sent) copies(offset int64) [2]rowstest.Record {
	var both [2]rowstest.Record
	for i, message := range []string{"first", "second"} {
		value := fmt.Sprintf(`{"message":%q,"level":"info","fingerprint":%q`, message, s.name)
		if ts := s.timestamps[i]; ts != "" {
			value += `,"timestamp":` + ts
		}
		both[i] = rowstest.From(offset+1000*int64(i), "demo", s.id, s.received.AddDate(0, 0, i), value+"}")
	}
	return both
}

// Each (project, event_id) is one row, the first copy received: whichever copy reaches ClickHouse first, in one block
// or in two, merged or not.
func TestOneRowAnEvent(t *testing.T) {
	for name, order := range map[string][]int{"in order": {0, 1}, "second first": {1, 0}, "the first again": {1, 0, 1, 0}, "in one block": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := clickhousetest.Migrated(t)
			d.Ask("SYSTEM STOP MERGES events_raw")
			all := resends()
			blocks := make([][]rowstest.Record, 2)
			for i, s := range all {
				for c, r := range s.copies(int64(i)) {
					blocks[c] = append(blocks[c], r)
				}
			}
			for _, c := range order {
				putRows(t, storeOf(d), blocks[c]...)
			}
			if order == nil {
				putRows(t, storeOf(d), append(blocks[1], blocks[0]...)...)
			} else if got := d.Ask("SELECT uniqExact(_offset) FROM events_raw"); got != fmt.Sprint(2*len(all)) {
				t.Fatalf("%s copies in the table, want %d: the test proves nothing", got, 2*len(all))
			}
			firstCopies(t, d, all)
			d.Ask("SYSTEM START MERGES events_raw")
			d.Ask("OPTIMIZE TABLE events_raw FINAL")
			d.Asks("SELECT count() FROM events_raw", fmt.Sprint(len(all)))
			firstCopies(t, d, all)
		})
	}
}

func firstCopies(t *testing.T, d *clickhousetest.Database, all []sent) {
	t.Helper()
	d.Asks("SELECT count(), uniqExact(event_id) FROM events", fmt.Sprintf("%d\t%d", len(all), len(all)))
	for _, row := range strings.Split(d.Ask("SELECT _offset, message, JSONExtractString(payload, 'fingerprint') FROM events WHERE message != 'first' OR position(payload, 'first') = 0 ORDER BY _offset"), "\n") {
		if row != "" {
			t.Errorf("not the first copy: %s", row)
		}
	}
	// No query returns the second copy, whether it uses the key, an index or neither.
	for _, of := range []string{
		"_offset >= 1000", "message = 'second'", "timestamp >= '2026-12-24' AND timestamp < '2026-12-25'",
		"project_id = 'demo' AND event_id IN (SELECT event_id FROM events_raw) AND message = 'second'",
		"project_id = 'demo' AND event_id = '" + all[7].id.String() + "' AND timestamp >= '2026-12-24'",
	} {
		d.Asks("SELECT count() FROM events WHERE "+of, "0")
	}
	d.Asks("SELECT message FROM events WHERE project_id = 'demo' AND event_id = '"+all[7].id.String()+"' AND timestamp < '2026-12-24'", "first")
	// The views over it count an event once too.
	d.Asks("SELECT count(), sum(events), max(events) FROM issues", fmt.Sprintf("%d\t%d\t1", len(all), len(all)))
	d.Asks("SELECT sum(events) FROM events_per_minute", fmt.Sprint(len(all)))
	d.Asks("SELECT count() FROM (SELECT project_id, toStartOfMinute(timestamp) AS minute, environment, level, count() AS events FROM events GROUP BY ALL) AS a "+
		"FULL JOIN events_per_minute AS b USING (project_id, minute, environment, level, events) WHERE a.events = 0 OR b.events = 0", "0")
}

// An id belongs to a project: two projects may use the same id.
func TestSameIDInTwoProjects(t *testing.T) {
	d := clickhousetest.Migrated(t)
	for i, project := range []string{"one", "two"} {
		putRows(t, storeOf(d), rowstest.From(int64(i), project, rowstest.ID(1), rowstest.Noon, fmt.Sprintf(`{"message":"of %s","user":{"id":"u"}}`, project)))
	}
	d.Ask("OPTIMIZE TABLE events_raw FINAL")
	d.Asks("SELECT project_id, message FROM events ORDER BY project_id", "one\tof one\ntwo\tof two")
	d.Asks("SELECT project_id, events, users FROM issues ORDER BY project_id", "one\t1\t1\ntwo\t1\t1")
}

// Events whose ids differ in one bit stay two events, at the same time in the same project.
func TestDifferentEventsStay(t *testing.T) {
	d := clickhousetest.Migrated(t)
	var records []rowstest.Record
	for bit := range 60 { // the bits behind version and variant
		id := rowstest.ID(1)
		id[15-bit/8] ^= 1 << (bit % 8)
		records = append(records, rowstest.From(int64(bit), "demo", id, rowstest.Noon, `{"message":"same"}`))
	}
	putRows(t, storeOf(d), records...)
	d.Ask("OPTIMIZE TABLE events_raw FINAL")
	d.Asks("SELECT count() FROM events", "60")
	d.Asks("SELECT events FROM issues", "60")
}

// issues and events_per_minute agree with events.
func TestViews(t *testing.T) {
	d := clickhousetest.Migrated(t)
	at := func(i int, minute, level, user, message string) rowstest.Record {
		return rowstest.From(int64(i), "demo", rowstest.ID(uint64(i)), rowstest.Noon, fmt.Sprintf(
			`{"message":%q,"level":%q,"user":{"id":%q},"environment":"live","fingerprint":"f","timestamp":"2026-11-23T11:%sZ"}`, message, level, user, minute))
	}
	putRows(t, storeOf(d),
		at(1, "58:01", "info", "a", "old"), at(2, "58:59.999", "error", "b", "middle"), at(3, "59:00", "error", "b", "last"), at(4, "58:30", "error", "", "nobody"))
	d.Asks("SELECT project_id, first_seen, last_seen, events, users, level, message FROM issues",
		"demo\t2026-11-23 11:58:01.000\t2026-11-23 11:59:00.000\t4\t2\terror\tlast")
	d.Asks("SELECT toString(toDateTime(minute, 'UTC')), environment, level, events FROM events_per_minute ORDER BY minute, level",
		"2026-11-23 11:58:00\tlive\tinfo\t1\n2026-11-23 11:58:00\tlive\terror\t2\n2026-11-23 11:59:00\tlive\terror\t1")
}

// Both protocols write the same rows.
func TestSameRowsOverBoth(t *testing.T) {
	var records []rowstest.Record
	for i, s := range resends() {
		both := s.copies(int64(i))
		records = append(records, both[0])
	}
	records = append(records, rowstest.From(500, "demo", rowstest.ID(500), rowstest.Noon, `{"message":"\u0000 😀","tags":{"a":"1","b":"2"},"level":"fatal","user":{"id":1}}`))
	answers := map[string]string{}
	clickhousetest.OverBoth(t, func(t *testing.T, d *clickhousetest.Database, dsn string) {
		store := storeAt(dsn)
		apply(t, store)
		putRows(t, store, records...)
		putRows(t, store, records[0]) // the connection's settings hold for small blocks too
		answers[t.Name()] = d.Ask("SELECT * EXCEPT (inserted_at) FROM events ORDER BY _offset FORMAT TSVWithNamesAndTypes")
		if n := strings.Count(answers[t.Name()], "\n"); n != len(records)+1 {
			t.Errorf("%d rows, want %d", n-1, len(records))
		}
	})
	if answers[t.Name()+"/native"] != answers[t.Name()+"/http"] {
		t.Errorf("native:\n%s\nhttp:\n%s", answers[t.Name()+"/native"], answers[t.Name()+"/http"])
	}
}

// A picked block has the picked rows and no others, in every column.
func TestPick(t *testing.T) {
	d := clickhousetest.Migrated(t)
	var records []rowstest.Record
	for i, s := range resends() {
		r := s.copies(int64(i))[0]
		r.Value = fmt.Sprintf(`{"message":"event %d","tags":{%q:"a","b":"c"},"user":{"id":%d},"level":"fatal"}`, i, fmt.Sprint(i), i)
		records = append(records, r)
	}
	whole := rowstest.Block(t, records...)
	putRows(t, storeOf(d), records...)
	want := d.Ask("SELECT * EXCEPT (inserted_at) FROM events_raw WHERE _offset IN (1, 3) ORDER BY _offset")
	other := clickhousetest.Migrated(t)
	if err := tableAt(t, storeOf(other)).Insert(t.Context(), "", whole.Pick([]int32{1, 3})); err != nil {
		t.Fatal(err)
	}
	other.Asks("SELECT * EXCEPT (inserted_at) FROM events_raw ORDER BY _offset", want)
}
