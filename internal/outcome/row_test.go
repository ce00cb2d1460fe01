package outcome

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var source = uuid.MustParse("0191d5a0-6d3e-7c4a-9a53-4f1f0f6f2a11")

func aRow() Row {
	return Row{
		Project: "checkout", Minute: 1_795_435_200, Protocol: "sentry", Outcome: ClientDropped, Reason: "before_send",
		Category: "error", Events: 3,
	}
}

// TestRoundTrip: what is encoded is what is decoded, with the source.
func TestRoundTrip(t *testing.T) {
	rows := []Row{aRow(), {Minute: 60, Protocol: Native, Outcome: Rejected, Reason: "unauthorized", Events: MaxEvents}}
	got, err := Decode(Encode(source, rows))
	require.NoError(t, err)
	for i := range rows {
		rows[i].Source = source
	}
	assert.Equal(t, rows, got)
	assert.NotContains(t, string(Encode(source, rows)), "0001", "the source stands once")
}

// TestDecodeTrustsNothing: a value that is not as a gateway writes it is refused, and its bytes are not repeated.
func TestDecodeTrustsNothing(t *testing.T) {
	for name, edit := range map[string]func(*Row){
		"project":         func(r *Row) { r.Project = "SECRET" },
		"long project":    func(r *Row) { r.Project = strings.Repeat("p", 65) },
		"before 1970":     func(r *Row) { r.Minute = -60 },
		"after 2106":      func(r *Row) { r.Minute = 1 << 33 },
		"within a minute": func(r *Row) { r.Minute++ },
		"no protocol":     func(r *Row) { r.Protocol = "" },
		"no outcome":      func(r *Row) { r.Outcome = "" },
		"long reason":     func(r *Row) { r.Reason = strings.Repeat("r", longestWord+1) },
		"odd category":    func(r *Row) { r.Category = "SECRET'" },
		"none":            func(r *Row) { r.Events = 0 },
		"fewer than none": func(r *Row) { r.Events = -1 },
		"too many":        func(r *Row) { r.Events = MaxEvents + 1 },
	} {
		row := aRow()
		edit(&row)
		_, err := Decode(Encode(source, []Row{aRow(), row}))
		require.ErrorIs(t, err, errNotCounts, name)
		assert.NotContains(t, err.Error(), "SECRET", name)
	}
	for _, text := range []string{
		"", "null", "[]", "{", `{"source":"x","outcomes":[]}`, `{"outcomes":[{}]}`, string(Encode(uuid.Nil, []Row{aRow()})),
		string(Encode(source, nil)), string(Encode(source, make([]Row, MaxRows+1))),
	} {
		_, err := Decode([]byte(text))
		require.ErrorIs(t, err, errNotCounts, text)
	}
	full := make([]Row, MaxRows)
	for i := range full {
		full[i] = aRow()
		full[i].Project = fmt.Sprint("p", i)
	}
	got, err := Decode(Encode(source, full))
	require.NoError(t, err)
	assert.Len(t, got, MaxRows)
}

// TestRecordIsSmall: the longest record fits easily into an event's limit.
func TestRecordIsSmall(t *testing.T) {
	word := strings.Repeat("w", longestWord)
	row := Row{
		Project: strings.Repeat("p", 64), Minute: latest - latest%60, Protocol: word, Outcome: word, Reason: word, Category: word,
		Events: MaxEvents,
	}
	rows := make([]Row, MaxRows)
	for i := range rows {
		rows[i] = row
	}
	value := Encode(source, rows)
	_, err := Decode(value)
	require.NoError(t, err)
	assert.Less(t, len(value), 256<<10)
}

func TestSourceOf(t *testing.T) {
	a := SourceOf("events_raw/events/0/0-9/00")
	assert.Equal(t, a, SourceOf("events_raw/events/0/0-9/00"))
	assert.NotEqual(t, a, SourceOf("events_raw/events/1/0-9/00"))
	assert.Equal(t, uuid.Version(8), a.Version())
	assert.Equal(t, uuid.RFC4122, a.Variant())
}

func TestMinuteOf(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 34, 56, 789, time.UTC)
	assert.Equal(t, at.Truncate(time.Minute).Unix(), MinuteOf(at))
	assert.Equal(t, Native, ProtocolOf(""))
	assert.Equal(t, "otlp", ProtocolOf("otlp"))
}

func FuzzDecode(f *testing.F) {
	f.Add(Encode(source, []Row{aRow()}))
	f.Add([]byte(`{"source":"0191d5a0-6d3e-7c4a-9a53-4f1f0f6f2a11","outcomes":[{"project":null,"minute":1e300}]}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		rows, err := Decode(value)
		if err != nil {
			return
		}
		again, err := Decode(Encode(rows[0].Source, rows))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(rows) || !json.Valid(value) {
			t.Fatalf("%v became %v, %v", rows, again, err)
		}
	})
}
