package schema

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"
	"sluice/internal/event"
)

// A rich event, column by column, as an analyst reads it.
func TestGoldenRow(t *testing.T) {
	rich, err := os.ReadFile("../../internal/event/testdata/full.json")
	if err != nil {
		t.Fatal(err)
	}
	d := clickhousetest.Migrated(t)
	id := uuid.MustParse("4bf92f35-77b3-4da6-a3ce-929d0e0e4736")
	envelope := event.Envelope{Project: "checkout", ID: id, ReceivedAt: rowstest.Noon, SentAt: rowstest.Noon.Add(-time.Minute)}
	putRows(t, storeOf(d), rowstest.Record{Offset: 41, Partition: 3, Envelope: envelope, Value: string(rich)})
	want := map[string]string{
		"project_id": "checkout",
		"event_id":   "4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
		// The clocks differed by a minute.
		"timestamp":          "2026-11-23 12:00:58.250",
		"client_timestamp":   "2026-11-23 11:59:58.250",
		"timestamp_adjusted": "false",
		"received_at":        "2026-11-23 12:00:00.123",
		"level":              "warning",
		"message":            "Could not reach 10.0.0.7 (request 4BF92F35-77B3-4DA6-A3CE-929D0E0E4736) at 0x7ffe12",
		"exception_type":     "ConnectError",
		"exception_value":    "dial tcp 10.0.0.7:443: i/o timeout",
		"environment":        "production",
		"release":            "2.14.1",
		"platform":           "go",
		"server_name":        "pay-1",
		"transaction":        "POST /pay",
		"trace_id":           "0af7651916cd43dd8448eb211c80319c",
		"user_id":            "9007199254740993",
		"user_email":         "a@example.com",
		"sdk_name":           "sluice-go",
		"sdk_version":        "1.4.0",
		"tags":               `{'region':'eu-1','attempt':'3','canary':'true','shard':'null','hosts':'["a", "b"]'}`,
		"payload":            string(rich),
		"_topic":             "events",
		"_partition":         "3",
		"_offset":            "41",
	}
	compareRow(t, d, want)
	d.Asks("SELECT abs(dateDiff('second', inserted_at, now64(3))) < 60 FROM events", "1")
}

// compareRow compares the only row of events, in all columns but those that are computed from others or by the clock.
func compareRow(t *testing.T, d *clickhousetest.Database, want map[string]string) {
	t.Helper()
	var got map[string]string
	text := d.Ask("SELECT * EXCEPT (inserted_at, fingerprint, issue_id) FROM events FORMAT JSONStringsEachRow")
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	for column, value := range want {
		if got[column] != value {
			t.Errorf("%s is %q, want %q", column, got[column], value)
		}
	}
	for column, value := range got {
		if _, known := want[column]; !known {
			t.Errorf("there is a column %s (%q) more", column, value)
		}
	}
}

// A field that an event lacks is empty: not null and not a guess.
func TestBareRow(t *testing.T) {
	d := clickhousetest.Migrated(t)
	id := rowstest.ID(1)
	putRows(t, storeOf(d), rowstest.From(0, "demo", id, rowstest.Noon, `{"message":"hi"}`))
	want := map[string]string{
		"project_id": "demo", "event_id": id.String(), "timestamp": "2026-11-23 12:00:00.123", "client_timestamp": "1970-01-01 00:00:00.000",
		"timestamp_adjusted": "false", "received_at": "2026-11-23 12:00:00.123", "level": "error", "message": "hi", "tags": "{}",
		"payload": `{"message":"hi"}`, "_topic": "events", "_partition": "0", "_offset": "0",
	}
	for _, empty := range strings.Fields("exception_type exception_value environment release platform server_name transaction trace_id user_id user_email sdk_name sdk_version") {
		want[empty] = ""
	}
	compareRow(t, d, want)
}

// The payload is the bytes of the event, however odd, with one repair.
func TestPayloadByteForByte(t *testing.T) {
	d := clickhousetest.Migrated(t)
	payloads := []string{
		`{"message":"a\u0000b","x":"\u0000"}`,
		" \r\n\t{ \"message\" : \"spaces\" }\n\n ",
		`{"message":"😀 é \ud83d\ude00 ` + "\u2028 \u007f" + `"}`,
		`{"message":"<script>alert(1)</script> ${jndi:ldap://x} =cmd| '; DROP TABLE events; --"}`,
		`{"message":"n","neg":-0.0,"exact":9007199254740993}`,
		`{"message":"too much for a double","e":1e400}`,
		`{"message":"too much for an integer","big":123456789012345678901234567890}`,
		`{"message":"\\ \/ \" \b\f\n\r\t"}`,
		`{"message":"half \ud83d and \udc00"}`,
		`{"EVENT_ID":"x","event_id":null,"_offset":99,"project":"other","received_at":1,"message":"forged"}`,
	}
	var records []rowstest.Record
	for i, p := range payloads {
		records = append(records, rowstest.From(int64(i), "demo", rowstest.ID(uint64(i)), rowstest.Noon, p))
	}
	putRows(t, storeOf(d), records...)
	rows := strings.Split(d.Ask("SELECT hex(payload), hex(message) FROM events ORDER BY _offset"), "\n")
	if len(rows) != len(payloads) {
		t.Fatalf("%d rows, want %d", len(rows), len(payloads))
	}
	for i, row := range rows {
		payload, message, _ := strings.Cut(row, "\t")
		want := strings.NewReplacer(`half \ud83d and \udc00`, `half \ufffd and \ufffd`).Replace(payloads[i])
		if got := unhex(t, payload); got != want {
			t.Errorf("payload %d is %q, want %q", i, got, want)
		}
		if i == 0 && unhex(t, message) != "a\x00b" {
			t.Errorf("the message is %q", unhex(t, message))
		}
	}
	// ClickHouse reads the same from it as Sluice does. It reads nothing where a number is too large for its parser.
	d.Asks("SELECT _offset, hex(JSONExtractString(payload, 'message')), hex(message) FROM events WHERE JSONExtractString(payload, 'message') != message AND NOT startsWith(message, 'too much')", "")
	d.Asks("SELECT project_id, _offset FROM events WHERE message = 'forged'", fmt.Sprintf("demo\t%d", len(payloads)-1))
}

func unhex(t *testing.T, text string) string {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// issue_id is the fingerprint in 16 hexadecimal digits, also if the first digits are zeros.
func TestIssueID(t *testing.T) {
	d := clickhousetest.Migrated(t)
	var records []rowstest.Record
	want := map[string]bool{}
	for n := 0; len(want) < 6; n++ {
		value := fmt.Sprintf(`{"message":"m","fingerprint":"%d"}`, n)
		r := rowstest.From(int64(n), "demo", rowstest.ID(uint64(n)), rowstest.Noon, value)
		hash := rowstest.Block(t, r).Fingerprint(0)
		if least := uint64(1) << (60 - 4*(len(want)%3)); hash >= least {
			continue // one below 2^60, the next below 2^56, the next below 2^52
		}
		want[fmt.Sprintf("%016x\t%d", hash, hash)] = true
		records = append(records, r)
	}
	putRows(t, storeOf(d), records...)
	for _, from := range []string{"events", "events_raw", "issues"} {
		rows := strings.Split(d.Ask("SELECT issue_id, fingerprint FROM "+from), "\n")
		if len(rows) != len(want) {
			t.Errorf("%d rows in %s, want %d", len(rows), from, len(want))
		}
		for _, row := range rows {
			if !want[row] {
				t.Errorf("%s has %q", from, row)
			}
		}
	}
}

// Levels compare by severity, and are written by their names.
func TestLevels(t *testing.T) {
	d := clickhousetest.Migrated(t)
	var records []rowstest.Record
	for i, level := range []string{"debug", "info", "warning", "error", "fatal"} {
		records = append(records, rowstest.From(int64(i), "demo", rowstest.ID(uint64(i)), rowstest.Noon, fmt.Sprintf(`{"message":"m","level":%q}`, level)))
	}
	putRows(t, storeOf(d), records...)
	d.Asks("SELECT groupArray(level) FROM (SELECT level FROM events WHERE level >= 'error' ORDER BY level)", "['error','fatal']")
	d.Asks("SELECT groupArray(level) FROM (SELECT level FROM events WHERE level < 'error' ORDER BY level)", "['debug','info','warning']")
}

// Tags are a map of the first 256 tags.
func TestTags(t *testing.T) {
	d := clickhousetest.Migrated(t)
	pairs := make([]string, 300)
	for i := range pairs {
		pairs[i] = fmt.Sprintf(`["key %d","value %d"]`, i, i)
	}
	putRows(t, storeOf(d),
		rowstest.From(0, "demo", rowstest.ID(0), rowstest.Noon, `{"message":"m","tags":{"a":"1","":"empty","q":"it's","n":null}}`),
		rowstest.From(1, "demo", rowstest.ID(1), rowstest.Noon, `{"message":"m"}`),
		rowstest.From(2, "demo", rowstest.ID(2), rowstest.Noon, `{"message":"m","tags":[`+strings.Join(pairs, ",")+`]}`),
	)
	d.Asks("SELECT tags['a'], tags[''], tags['q'], tags['n'], tags['none'] FROM events WHERE _offset = 0 FORMAT TSVRaw", "1\tempty\tit's\tnull\t")
	d.Asks("SELECT length(tags), tags['key 255'], mapContains(tags, 'key 256') FROM events WHERE _offset = 2", "256\tvalue 255\t0")
	d.Asks("SELECT groupArray(_offset) FROM events WHERE tags['a'] = '1'", "[0]")
}
