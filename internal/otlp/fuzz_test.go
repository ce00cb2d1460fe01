package otlp_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"sluice/internal/event"
	"sluice/internal/format"
	"sluice/internal/otlp"
)

// FuzzOTLP compares the decoder with the generated types: both take and refuse the same requests, their items are
// equal, and the reader of the format takes each and finds the same event in both.
func FuzzOTLP(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add(seed)
	}
	var d otlp.Decoder
	d.MostBytes, d.MostRecords = 1<<20, 1000
	f.Fuzz(func(t *testing.T, request []byte) {
		var made bytes.Buffer
		err := d.Decode(request, &made)
		var messages logs.LogsData
		want := proto.Unmarshal(request, &messages)
		if want != nil {
			// Our decoder repairs UTF-8, and does not look into what is too deep or too much.
			if err == nil && !strings.Contains(want.Error(), "UTF-8") && d.Rest == 0 && !faulty(&d) {
				t.Fatalf("took what protobuf refuses: %v", want)
			}
			checkItems(t, &d, made.Bytes(), nil)
			return
		}
		require.NoError(t, err)
		items := itemsOf(&messages)
		require.Len(t, items, len(d.Records)+d.Rest)
		checkItems(t, &d, made.Bytes(), items)
	})
}

func faulty(d *otlp.Decoder) bool {
	for _, r := range d.Records {
		if r.Fault != 0 {
			return true
		}
	}
	return false
}

// checkItems compares items with those of the generated types, if these are known.
func checkItems(t *testing.T, d *otlp.Decoder, made []byte, want []object) {
	t.Helper()
	decoder := event.Decoder{Formats: format.All()}
	for i, r := range d.Records {
		if r.Fault != 0 {
			continue
		}
		item := itemOf(r, made)
		var got event.Event
		require.NoError(t, decoder.DecodeAs(format.OTLP, item, &got), "%s", item)
		require.False(t, got.NeedsRepair())
		if want == nil {
			continue
		}
		text := want[i].text()
		require.Equal(t, parsed(t, text), parsed(t, item))
		other := event.Decoder{Formats: format.All()}
		var ev event.Event
		require.NoError(t, other.DecodeAs(format.OTLP, text, &ev))
		require.Equal(t, columns(&ev), columns(&got))
	}
}

func itemOf(r otlp.Record, made []byte) []byte {
	item := bytes.Join([][]byte{r.Resource.Of(made), r.Scope.Of(made), r.Log.Of(made)}, nil)
	return append(item, otlp.After...)
}

func parsed(t *testing.T, text []byte) (v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(text, &v), "%s", text)
	return v
}

// columns returns what an event's columns are made of. A list's members have no order in the expected items.
func columns(ev *event.Event) map[string]string {
	at, _ := ev.Timestamp.Time()
	c := map[string]string{
		"level": ev.Level.String(), "timestamp": at.String(), "exception_type": ev.Exception.Type.String(),
		"exception_value": ev.Exception.Value.String(), "environment": ev.Environment.String(),
		"release": ev.Release.String(), "server_name": ev.ServerName.String(), "trace_id": ev.TraceID.String(),
		"user_id": ev.UserID.String(), "user_email": ev.UserEmail.String(), "sdk_name": ev.SDK.Name.String(),
		"sdk_version": ev.SDK.Version.String(), "message": unescaped(ev.MessageText()),
	}
	for _, tag := range ev.Tags {
		c["tag "+tag.Key.String()] = unescaped(tag.Value.String())
	}
	return c
}

// unescaped writes JSON of a list in one way: two encoders escape differently.
func unescaped(text string) string {
	if !strings.HasPrefix(text, "[") && !strings.HasPrefix(text, "{") || !json.Valid([]byte(text)) {
		return text
	}
	var out bytes.Buffer
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	for {
		token, err := dec.Token()
		if err != nil {
			return out.String()
		}
		b, _ := json.Marshal(token)
		out.Write(b)
		out.WriteByte(' ')
	}
}
