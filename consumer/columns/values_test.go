package columns

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/columns/column"
	"sluice/consumer/schema"
)

// values are values in a payload, and what each type makes of them, in the order of valueTypes.
var valueTypes = []string{"String", "Int64", "UInt64", "Float64", "Bool", "DateTime64", "UUID", "Array(String)", "Nullable(String)", "Nullable(Int64)", "Nullable(Float64)", "Nullable(Bool)", "Nullable(DateTime64)"}

var values = map[string]string{
	``:                      "|0|0|0|false|1970-01-01 00:00:00.000|00000000-0000-0000-0000-000000000000|[]|NULL|NULL|NULL|NULL|NULL",
	`null`:                  "|0|0|0|false|1970-01-01 00:00:00.000|00000000-0000-0000-0000-000000000000|[]|NULL|NULL|NULL|NULL|NULL",
	`""`:                    "|0|0|0|false|1970-01-01 00:00:00.000|00000000-0000-0000-0000-000000000000|[]||NULL|NULL|NULL|NULL",
	`"text"`:                "text|0|0|0|false|1970-01-01 00:00:00.000|00000000-0000-0000-0000-000000000000|[]|text|NULL|NULL|NULL|NULL",
	`5`:                     "5|5|5|5|false|1970-01-01 00:00:05.000|00000000-0000-0000-0000-000000000000|[]|5|5|5|NULL|1970-01-01 00:00:05.000",
	`"5"`:                   "5|5|5|5|false|1970-01-01 00:00:05.000|00000000-0000-0000-0000-000000000000|[]|5|5|5|NULL|1970-01-01 00:00:05.000",
	`-5`:                    "-5|-5|0|-5|false|1969-12-31 23:59:55.000|00000000-0000-0000-0000-000000000000|[]|-5|-5|-5|NULL|1969-12-31 23:59:55.000",
	`1.5`:                   "1.5|0|0|1.5|false|1970-01-01 00:00:01.500|00000000-0000-0000-0000-000000000000|[]|1.5|NULL|1.5|NULL|1970-01-01 00:00:01.500",
	`1`:                     "1|1|1|1|true|1970-01-01 00:00:01.000|00000000-0000-0000-0000-000000000000|[]|1|1|1|true|1970-01-01 00:00:01.000",
	`true`:                  "true|0|0|0|true|1970-01-01 00:00:00.000|00000000-0000-0000-0000-000000000000|[]|true|NULL|NULL|true|NULL",
	`"false"`:               "false|0|0|0|false|1970-01-01 00:00:00.000|00000000-0000-0000-0000-000000000000|[]|false|NULL|NULL|false|NULL",
	`"NaN"`:                 "NaN|0|0|0|false|1970-01-01 00:00:00.000|00000000-0000-0000-0000-000000000000|[]|NaN|NULL|NULL|NULL|NULL",
	`"-inf"`:                "-inf|0|0|0|false|1970-01-01 00:00:00.000|00000000-0000-0000-0000-000000000000|[]|-inf|NULL|NULL|NULL|NULL",
	`1e300`:                 "1e300|0|0|1e300|false|1970-01-01 00:00:00.000|00000000-0000-0000-0000-000000000000|[]|1e300|NULL|1e300|NULL|NULL",
	`[1,"x",null,{"a":[]}]`: `[1,"x",null,{"a":[]}]|0|0|0|false|1970-01-01 00:00:00.000|00000000-0000-0000-0000-000000000000|['1','x','','{"a":[]}']|[1,"x",null,{"a":[]}]|NULL|NULL|NULL|NULL`,
	`{"a":"b"}`:             `{"a":"b"}|0|0|0|false|1970-01-01 00:00:00.000|00000000-0000-0000-0000-000000000000|[]|{"a":"b"}|NULL|NULL|NULL|NULL`,
	`9223372036854775807`:   "9223372036854775807|9223372036854775807|9223372036854775807|9223372036854776000|false|1970-01-01 00:00:00.000|00000000-0000-0000-0000-000000000000|[]|9223372036854775807|9223372036854775807|9223372036854776000|NULL|NULL",
	`9223372036854775808`:   "9223372036854775808|0|9223372036854775808|9223372036854776000|false|1970-01-01 00:00:00.000|00000000-0000-0000-0000-000000000000|[]|9223372036854775808|NULL|9223372036854776000|NULL|NULL",
	`-9223372036854775808`:  "-9223372036854775808|-9223372036854775808|0|-9223372036854776000|false|1970-01-01 00:00:00.000|00000000-0000-0000-0000-000000000000|[]|-9223372036854775808|-9223372036854775808|-9223372036854776000|NULL|NULL",
	// ClickHouse's parser reads nothing from a payload that has such a number anywhere.
	`123456789012345678901234567890`:           "|0|0|0|false|1970-01-01 00:00:00.000|00000000-0000-0000-0000-000000000000|[]|NULL|NULL|NULL|NULL|NULL",
	`1e400`:                                    "|0|0|0|false|1970-01-01 00:00:00.000|00000000-0000-0000-0000-000000000000|[]|NULL|NULL|NULL|NULL|NULL",
	`"2026-11-28T10:11:12.345678+02:00"`:       "2026-11-28T10:11:12.345678+02:00|0|0|0|false|2026-11-28 08:11:12.345|00000000-0000-0000-0000-000000000000|[]|2026-11-28T10:11:12.345678+02:00|NULL|NULL|NULL|2026-11-28 08:11:12.345",
	`"2026-11-28"`:                             "2026-11-28|0|0|0|false|2026-11-28 00:00:00.000|00000000-0000-0000-0000-000000000000|[]|2026-11-28|NULL|NULL|NULL|2026-11-28 00:00:00.000",
	`"2026-99-99"`:                             "2026-99-99|0|0|0|false|1970-01-01 00:00:00.000|00000000-0000-0000-0000-000000000000|[]|2026-99-99|NULL|NULL|NULL|NULL",
	`"10:00"`:                                  "10:00|0|0|0|false|1970-01-01 00:00:00.000|00000000-0000-0000-0000-000000000000|[]|10:00|NULL|NULL|NULL|NULL",
	`1764324672345`:                            "1764324672345|1764324672345|1764324672345|1764324672345|false|2025-11-28 10:11:12.345|00000000-0000-0000-0000-000000000000|[]|1764324672345|1764324672345|1764324672345|NULL|2025-11-28 10:11:12.345",
	`"0190A1B2C3D47E5F8A9B0C1D2E3F4A5B"`:       "0190A1B2C3D47E5F8A9B0C1D2E3F4A5B|0|0|0|false|1970-01-01 00:00:00.000|0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b|[]|0190A1B2C3D47E5F8A9B0C1D2E3F4A5B|NULL|NULL|NULL|NULL",
	`"\u0041\ud83d\ude00"`:                     "A😀|0|0|0|false|1970-01-01 00:00:00.000|00000000-0000-0000-0000-000000000000|[]|A😀|NULL|NULL|NULL|NULL",
	`"` + strings.Repeat("long", 20_000) + `"`: strings.Repeat("long", 20_000) + "|0|0|0|false|1970-01-01 00:00:00.000|00000000-0000-0000-0000-000000000000|[]|" + strings.Repeat("long", 20_000) + "|NULL|NULL|NULL|NULL",
}

// Any value in a payload becomes a value of any type: its own, or the default or NULL. No insert fails, the rows beside
// it are stored, and the values are the same however they were made: at the insert, by reading old parts, by a backfill.
func TestValues(t *testing.T) {
	t.Parallel()
	clickhousetest.OverBoth(t, func(t *testing.T, d *clickhousetest.Database, dsn string) {
		d.Migrate()
		var events, want []string
		for value, of := range values {
			if value == "" {
				events = append(events, `{"message":"m"}`)
			} else {
				events = append(events, fmt.Sprintf(`{"message":"m","a":{"b":%s}}`, value))
			}
			want = append(want, of)
		}
		put(t, dsn, 0, events...)
		question := "SELECT concatWithSeparator('|'"
		for n, name := range valueTypes {
			m, _ := manager(dsn, false)
			require.NoError(t, m.Add(t.Context(), columnOf(t, fmt.Sprintf("c%d", n), name, "a.b"), AddOptions{NoBackfill: true}))
			question += fmt.Sprintf(", ifNull(toString(c%d), 'NULL')", n)
		}
		question += ") FROM events WHERE _offset >= %d AND _offset < %d ORDER BY _offset FORMAT TSVRaw"
		is := func(from int) {
			t.Helper()
			for i, line := range strings.Split(d.Ask(fmt.Sprintf(question, from, from+len(want))), "\n") {
				require.Equal(t, want[i], line, "%.80s", events[i])
			}
		}
		is(0)
		put(t, dsn, 1000, events...)
		is(1000)
		for n := range valueTypes {
			m, _ := manager(dsn, false)
			require.NoError(t, m.Backfill(t.Context(), fmt.Sprintf("c%d", n)))
		}
		is(0)
		require.Equal(t, upToDate, migrate(t, dsn, schema.Permissions{}))
	})
}

// Each type that there is can be added.
func TestEveryType(t *testing.T) {
	t.Parallel()
	d := clickhousetest.Migrated(t)
	put(t, d.Native(), 0, pro)
	for n, of := range column.Types() {
		name := fmt.Sprintf("c%d", n)
		add(t, d, name, of.String(), "contexts.account.plan", AddOptions{})
		d.Asks("SELECT type FROM system.columns WHERE database = currentDatabase() AND table = 'events' AND name = '"+name+"' FORMAT TSVRaw", of.String())
	}
	put(t, d.Native(), 1, pro)
	d.Asks("SELECT count() FROM events WHERE c0 = 'pro'", "2")
	require.Equal(t, upToDate, migrate(t, d.Native(), schema.Permissions{}))
}

// Keys with odd characters are found, and are never SQL.
func TestOddKeys(t *testing.T) {
	t.Parallel()
	d := clickhousetest.Migrated(t)
	put(t, d.Native(), 0, `{"message":"m","a.b":{"it's \\ \"x\"":1,"größe":[{"n":2},{"n":3}],"\u0065sc":4,"":5,"');--":6,"\n":7,"x  y":8}}`)
	for n, path := range []string{`"a.b"."it's \\ \"x\""`, `"a.b".größe[0].n`, `"a.b".größe[1].n`, `"a.b".esc`, `"a.b".""`, `"a.b"."');--"`, `"a.b"."\n"`, `"a.b"."x  y"`, `"a.b".größe[2].n`, `a.b.esc`} {
		name := fmt.Sprintf("c%d", n)
		add(t, d, name, "Int64", path, AddOptions{})
		want := n + 1
		if n > 7 {
			want = 0
		}
		d.Asks("SELECT "+name+" FROM events", fmt.Sprint(want))
		parsed, err := column.ParsePath(path)
		require.NoError(t, err)
		require.Equal(t, parsed.String(), listed(t, d.Native())[n].Path)
	}
	put(t, d.Native(), 1, `{"message":"m","a.b":{"');--":60}}`)
	d.Asks("SELECT c5 FROM events ORDER BY _offset", "6\n60")
	require.Equal(t, upToDate, migrate(t, d.Native(), schema.Permissions{}))
	remove(t, d, "c0")
	d.Asks("SELECT c5 FROM events ORDER BY _offset", "6\n60")
}
