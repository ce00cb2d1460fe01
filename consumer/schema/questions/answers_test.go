package questions

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse"
	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"
)

var updateAnswers = flag.Bool("questions.golden", false, "write the golden files of the answers anew")

// TestAnswers asks each question of the events of testdata/events.txt. Some of these came twice: the copies lie in a
// second part, were received a day later and say something else, so that a copy that counts changes an answer. The
// golden files were checked by hand.
func TestAnswers(t *testing.T) {
	d := clickhousetest.Migrated(t)
	d.Ask("SYSTEM STOP MERGES events_raw")
	firsts, copies := smallEvents(t)
	put(t, d, firsts)
	put(t, d, copies)
	d.Asks("SELECT count() FROM events_raw", "18")
	issues := strings.Fields(d.Ask("SELECT DISTINCT issue_id, JSONExtractString(payload, 'fingerprint') FROM events_raw"))
	name := strings.NewReplacer(issues...) // a hash has 16 digits, which occur nowhere else
	issue := d.Ask("SELECT any(issue_id) FROM events_raw WHERE JSONExtractString(payload, 'fingerprint') = 'pay'")
	usual := parameters{
		"project": "shop", "start": "2026-11-01 00:00:00", "end": "2026-12-01 00:00:00",
		"release": "1.1", "before": "1.0", "after": "1.1", "user": "ann", "text": "REFUSED", "issue": issue,
		"field": "duration_ms", "hour": "2026-11-02 10:00:00", "trace": "t3", "event": rowstest.ID(4).String(),
	}
	for _, q := range all(t) {
		t.Run(q.name, func(t *testing.T) {
			got := name.Replace(mustAsk(t, d, q, usual))
			path := filepath.Join("testdata", "answers", q.name+".tsv")
			if *updateAnswers {
				require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
			asksOfNobody(t, d, q, usual)
		})
	}
}

// asksOfNobody asks about a project without events: there is no error, and nothing of another project.
func asksOfNobody(t *testing.T, d *clickhousetest.Database, q question, usual parameters) {
	t.Helper()
	answer := mustAsk(t, d, q, usual.but("project", "nobody"))
	if lines := strings.Split(strings.TrimSpace(answer), "\n")[1:]; q.number() != "20" { // is about all projects
		require.Empty(t, lines)
	}
}

// smallEvents reads testdata/events.txt: the events, and the second copies of those that came twice.
func smallEvents(t *testing.T) (firsts, copies []rowstest.Record) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "events.txt"))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSpace(line), "|")
		if strings.HasPrefix(line, "#") || len(fields) != 14 {
			continue // not an event
		}
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		at, err := time.Parse("2006-01-02 15:04:05.999", fields[1])
		require.NoError(t, err)
		n := len(firsts) + 1
		id := rowstest.ID(uint64(n)) // small
		received := at.Add(time.Second)
		first := rowstest.From(int64(n), fields[2], id, received, value(t, fields, at, false))
		firsts = append(firsts, first)
		if fields[0] == "2" {
			again := value(t, fields, at, true)
			copies = append(copies, rowstest.From(int64(n+100), fields[2], id, received.AddDate(0, 0, 1), again))
		}
	}
	return firsts, copies
}

// value is the JSON of an event: as sent first, or another one with the same id and timestamp.
func value(t *testing.T, fields []string, at time.Time, again bool) string {
	t.Helper()
	event := map[string]any{
		"timestamp": at.Format(time.RFC3339Nano), "level": fields[3], "transaction": fields[5], "release": fields[6],
		"environment": fields[7], "server_name": fields[8], "trace_id": fields[9], "message": fields[10],
		"fingerprint": fields[12],
	}
	if fields[4] != "" {
		event["user"] = map[string]string{"id": fields[4]}
	}
	if fields[11] != "" {
		event["duration_ms"] = json.Number(fields[11])
	}
	if fields[13] != "" {
		event["tags"] = map[string]string{"session": fields[13]}
	}
	if again {
		event["message"], event["release"], event["level"] = "payment refused again", "1.1", "fatal"
		event["user"], event["tags"] = map[string]string{"id": "copy"}, map[string]string{"session": "copy"}
	}
	text, err := json.Marshal(event)
	require.NoError(t, err)
	return string(text)
}

// put inserts records as one block, as the consumer does.
func put(t *testing.T, d *clickhousetest.Database, records []rowstest.Record) {
	t.Helper()
	table := clickhouse.New(clickhouse.Config{DSN: d.Native()}, nil)
	defer table.Close()
	require.NoError(t, table.Insert(t.Context(), "", rowstest.Block(t, records...)))
}
