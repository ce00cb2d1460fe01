package gateway

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/broker/brokertest"
	"sluice/gateway/ingest"
	"sluice/internal/event"
)

// TestSegmentPaths: every path takes a single call and a batch, and names the type of a call that leaves it out.
func TestSegmentPaths(t *testing.T) {
	t.Parallel()
	s := serve(t)
	paths := map[string]string{
		"track": "track", "t": "track", "identify": "identify", "i": "identify", "page": "page", "p": "page",
		"screen": "screen", "s": "screen", "group": "group", "g": "group", "alias": "alias", "a": "alias",
	}
	for path, callType := range paths {
		before := len(s.producer.Stored())
		for text, want := range map[string]string{
			`{"name":"Home"}`:                           `{"type":"` + callType + `","name":"Home"}`,
			` { "name" : "Home" } `:                     `{"type":"` + callType + `", "name" : "Home" }`,
			`{"name":"Home","type":null}`:               `{"name":"Home","type":"` + callType + `"}`,
			`{"name":"Home","type":"  "}`:               `{"name":"Home","type":"` + callType + `"}`,
			`{"type":"screen","name":"Home"}`:           `{"type":"screen","name":"Home"}`,
			`{"batch":[{"type":"page","name":"Home"}]}`: `{"type":"page","name":"Home"}`,
		} {
			got := s.do(request{path: "/v1/" + path, body: text})
			require.Equal(t, 200, got.status, "%s %s: %s", path, text, got.text)
			stored := s.producer.Stored()
			assert.Equal(t, want, string(stored[len(stored)-1].Value), path)
		}
		assert.Len(t, s.producer.Stored(), before+6)
	}
	for _, row := range s.rows() {
		assert.Equal(t, row.Tags["type"]+" Home", row.Message)
		assert.Equal(t, "segment", row.Format)
	}
	for _, path := range []string{"/v1/batch", "/v1/b", "/v1/import"} {
		got := s.do(request{path: path, body: `{"event":"Alone","userId":7}`})
		assert.Equal(t, 200, got.status, got.text)
		got = s.do(request{path: path, body: `[{"event":"First"},{"event":"Second"}]`})
		assert.Equal(t, 200, got.status, got.text)
	}
}

// TestSegmentItems: the columns of calls as clients of all kinds write them.
func TestSegmentItems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]rowView{
		`{"type":"track","event":"Paid","userId":"u","anonymousId":"a","channel":"server"}`: {
			Message: "Paid", UserID: "u", Tags: map[string]string{"type": "track", "channel": "server"},
		},
		`{"type":"track","event":"Paid","userId":"","anonymousId":"a"}`: {
			Message: "Paid", UserID: "a", Tags: map[string]string{"type": "track"},
		},
		`{"type":"track","event":"Paid","userId":17}`: {
			Message: "Paid", UserID: "17", Tags: map[string]string{"type": "track"},
		},
		`{"type":"identify","userId":"u","traits":{"email":"u@example.com"},"context":{"traits":{"email":"b@example.com"}}}`: {
			Message: "identify", UserID: "u", UserEmail: "u@example.com", Tags: map[string]string{"type": "identify"},
		},
		`{"type":"page","name":"Home","context":{"traits":{"email":"b@example.com"},"app":{"name":"shop","version":"1.2"},"library":{"name":"js","version":"3"},"groupId":"g"}}`: {
			Message: "page Home", UserEmail: "b@example.com", Release: "1.2", SDK: "js 3",
			Tags: map[string]string{"type": "page", "groupId": "g"},
		},
		`{"type":"group","groupId":"g1","context":{"library":"bare","groupId":"g2"}}`: {
			Message: "group", SDK: "bare", Tags: map[string]string{"type": "group", "groupId": "g1"},
		},
		`{"event":"Paid"}`:           {Message: "Paid", Tags: map[string]string{"type": "track"}},
		`{"previousId":"x"}`:         {Message: "alias", Tags: map[string]string{"type": "alias"}},
		`{"groupId":"x"}`:            {Message: "group", Tags: map[string]string{"type": "group", "groupId": "x"}},
		`{"traits":{}}`:              {Message: "identify", Tags: map[string]string{"type": "identify"}},
		`{"type":"wish","name":"w"}`: {Message: "wish w", Tags: map[string]string{"type": "wish"}},
		`{"type":"track","event":["x"],"userId":{"a":1},"context":7,"traits":"x"}`: {
			Message: "track", Tags: map[string]string{"type": "track"},
		},
		`{"type":"track","event":"\ud800x"}`: {Message: "\uFFFDx", Tags: map[string]string{"type": "track"}},
	} {
		s := serve(t)
		got := s.do(request{path: "/v1/batch", body: `{"batch":[` + text + `]}`})
		require.Equal(t, 200, got.status, "%s: %s", text, got.text)
		row := s.rows()[0]
		want.ID, want.Format, want.Level = row.ID, "segment", "info"
		want.Time, want.Client, want.Sent = row.Time, row.Client, row.Sent
		assert.Equal(t, want, row, text)
	}
}

// TestSegmentTimes: the time as sent is timestamp, else originalTimestamp; sentAt corrects the column, and never the
// identity.
func TestSegmentTimes(t *testing.T) {
	t.Parallel()
	const at, other = "2026-11-23T11:00:00Z", "2026-11-23T11:30:00Z"
	for item, want := range map[string]string{
		`"timestamp":"` + at + `"`:                                     at,
		`"originalTimestamp":"` + at + `"`:                             at,
		`"originalTimestamp":"` + other + `","timestamp":"` + at + `"`: at,
		`"originalTimestamp":"` + at + `","timestamp":null`:            at,
		`"originalTimestamp":"` + at + `","timestamp":"yesterday"`:     at,
		`"timestamp":{"a":1}`:                                          "1970-01-01T00:00:00Z",
		`"x":1`:                                                        "1970-01-01T00:00:00Z",
		`"timestamp":` + fmt.Sprint(time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC).UnixMilli()): at,
	} {
		s := serve(t) // its clock says 12:00
		body := `{"batch":[{"event":"x","messageId":"m",` + item + `}],"sentAt":"2026-11-23T11:59:00Z"}`
		require.Equal(t, 200, s.do(request{path: "/v1/batch", body: body}).status, item)
		row := s.rows()[0]
		assert.Equal(t, want, row.Client, item)
		if want == at {
			assert.Equal(t, "2026-11-23T11:01:00Z", row.Time, "the client's clock is a minute late")
		}
	}
}

// TestSegmentResends: a request that is sent again makes no new row, although clients stamp it anew and may add to it.
func TestSegmentResends(t *testing.T) {
	t.Parallel()
	for name, bodies := range map[string][]string{
		"batch": {
			`{"batch":[{"event":"x","messageId":"m-1"},{"event":"y","messageId":"m-2"}],"sentAt":"2026-11-23T12:00:00Z"}`,
			`{"sentAt":"2026-11-23T12:10:00Z","writeKey":"test-key","batch":[{"event":"x","messageId":"m-1"},{"event":"y","messageId":"m-2"}]}`,
			`{"batch":[{"event":"y","messageId":"m-2","_metadata":{"failedDelivery":1}},{"event":"x","messageId":"m-1"},{"event":"y","messageId":"m-2"}]}`,
		},
		"single, no name": {
			`{"event":"x","userId":"u","sentAt":"2026-11-23T12:00:00Z","writeKey":"test-key"}`,
			`{"event":"x","userId":"u","sentAt":"2026-11-23T12:09:00.5Z","writeKey":"test-key"}`,
		},
		"batch, no names": {
			`{"batch":[{"event":"x"},{"event":"x"}],"sentAt":"2026-11-23T12:00:00Z"}`,
			`{"batch":[{"event":"x"},{"event":"x"}],"sentAt":"2026-11-23T12:10:00Z"}`,
		},
		"a UUID": {
			`{"event":"x","messageId":"0193b3c4-5d6e-4a7b-8c9d-0e1f2a3b4c5d","sentAt":"2026-11-23T12:00:00Z"}`,
			`{"event":"x","messageId":"0193B3C45D6E4A7B8C9D0E1F2A3B4C5D","sentAt":"2026-11-23T12:10:00Z"}`,
		},
	} {
		s := serve(t)
		require.Equal(t, 200, s.do(request{path: "/v1/track", body: bodies[0]}).status, name)
		rows := s.rows()
		for _, body := range bodies[1:] {
			require.Equal(t, 200, s.do(request{path: "/v1/track", body: body}).status, name)
			assert.Equal(t, rows, s.rows(), name)
		}
		if name == "a UUID" {
			assert.Equal(t, "0193b3c4-5d6e-4a7b-8c9d-0e1f2a3b4c5d", rows[0].ID)
		}
	}
	one, two := serve(t, twoShops(t)), `{"event":"x","messageId":"m-1"}`
	one.do(request{path: "/v1/t", body: two})
	one.do(request{path: "/v1/t", body: two, noKey: true, header: map[string]string{"X-API-Key": blogKey}})
	assert.Len(t, one.rows(), 2, "a messageId is the project's own")
}

// TestSegmentContext: the context of a batch holds for every item; a member of the item's own context counts more.
func TestSegmentContext(t *testing.T) {
	t.Parallel()
	s := serve(t)
	got := s.do(request{path: "/v1/batch", body: `{"batch":[
		{"event":"a"}, {"event":"b","context":{}}, {"event":"c","context":{"ip":"::1","app":{"version":"9"}}}, {},
		{"event":"d","context":null}, {"event":"e","context":{"library":1,"app":2}}, {"event":"f","event":1}
	],"context":{"library":{"name":"go","version":"3"}, "app" : {"version":"1"}}}`})
	require.Equal(t, 200, got.status, got.text)
	assert.Equal(t, "5", got.header.Get("X-Accepted-Events"))
	assert.Equal(t, []string{
		`{"context":{"library":{"name":"go","version":"3"},"app" : {"version":"1"}},"event":"a"}`,
		`{"event":"b","context":{"library":{"name":"go","version":"3"},"app" : {"version":"1"}}}`,
		`{"event":"c","context":{"library":{"name":"go","version":"3"},"ip":"::1","app":{"version":"9"}}}`,
		`{"event":"d","context":null}`,
		`{"event":"e","context":{"library":1,"app":2}}`,
	}, s.producer.Values())
	rows := s.rows()
	assert.Equal(t, []string{"1", "1", "9"}, []string{rows[0].Release, rows[1].Release, rows[2].Release})
	assert.Equal(t, "go 3", rows[2].SDK)

	assert.Zero(t, s.ingester.BodyBytes())

	context, most := `{"a":"`+strings.Repeat("x", 1001)+`"}`, 1009*50
	small := serve(t, func(c *Config, _ *Deps) { c.MaxEventBytes, c.MaxBulkBytes = 16<<10, most })
	for n, want := range map[int]int{49: 200, 50: 200, 51: 413} {
		got := small.do(request{path: "/v1/batch", body: `{"batch":` + events(n, func(int) string { return `{"event":"x"}` }) +
			`,"context":` + context + `}`})
		assert.Equal(t, want, got.status, "%d: %s", n, got.text)
		if want == 413 {
			assert.Equal(t, ingest.LimitBulkBytes, got.body.Limit)
		}
	}
}

// TestSegmentBadInputs: what is no call is refused by itself, and a body without a call as a whole.
func TestSegmentBadInputs(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ok := `{"event":"x"}`
	deep := func(n int) string {
		return `{"event":"x","p":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
	}
	for text, want := range map[string]struct {
		status         int
		code           string
		kept, rejected int
	}{
		``:                                   {400, "empty", 0, 0},
		"  \n":                               {400, "empty", 0, 0},
		`{}`:                                 {400, "empty", 0, 0},
		`[]`:                                 {400, "empty", 0, 0},
		`{"batch":[]}`:                       {400, "empty", 0, 0},
		`{"sentAt":"2026-11-23T12:00:00Z"}`:  {400, "empty", 0, 0},
		`null`:                               {400, "malformed", 0, 0},
		`"x"`:                                {400, "malformed", 0, 0},
		`{"batch":null}`:                     {400, "malformed", 0, 0},
		`{"batch":{"event":"x"}}`:            {400, "malformed", 0, 0},
		`{"batch":"x"}`:                      {400, "malformed", 0, 0},
		`{"batch":[` + ok:                    {400, "malformed", 0, 0},
		`{"batch":[` + ok + `}]}`:            {400, "malformed", 0, 0},
		`{"batch":[` + ok + ok + `]}`:        {400, "malformed", 0, 0},
		`{"batch":[` + ok + `]}x`:            {400, "malformed", 0, 0},
		`{"batch":[` + ok + `],"batch":[]}`:  {400, "malformed", 0, 0},
		`{"batch":[` + ok + `],"sentAt":01}`: {400, "malformed", 0, 0},
		ok + ok:                              {400, "malformed", 0, 0},
		"\xEF\xBB\xBF" + ok:                  {400, "malformed", 0, 0},
		`{"event":"x","a":1,"a":2}`:          {400, "malformed", 0, 0},
		"{\"event\":\"\xff\"}":               {400, "malformed", 0, 0},
		`{"event":"x",}`:                     {400, "malformed", 0, 0},
		`{"event":NaN}`:                      {400, "malformed", 0, 0},
		`{"name":"x"}`:                       {400, "invalid_event", 0, 1},
		`{"batch":[1,null,"x",[]]}`:          {400, "invalid_event", 0, 4},
		`{"batch":[{}]}`:                     {400, "invalid_event", 0, 1},
		`{"batch":[` + ok + `,1,null,{},"x",[]]}`:                                 {200, "", 1, 5},
		`{"batch":[{"event":"\xff"},` + ok + `]}`:                                 {200, "", 1, 1},
		`{"batch":[{"a":1,"a":1},` + ok + `]}`:                                    {200, "", 1, 1},
		`{"batch":[{"event":"a","messageId":"m"},{"event":"b","messageId":"m"}]}`: {200, "", 1, 0},
		deep(event.MaxDepth):                                                      {200, "", 1, 0},
		deep(event.MaxDepth + 1):                                                  {400, "malformed", 0, 0},
		deep(100_000):                                                             {400, "malformed", 0, 0},
		`{"batch":[` + deep(event.MaxDepth) + `]}`:                                {200, "", 1, 0},
		`{"batch":[` + deep(100_000) + `,` + ok + `]}`:                            {200, "", 1, 1},
		`{"batch":[` + strings.Repeat("{},", 9999) + `{}]}`:                       {400, "invalid_event", 0, 10_000},
		`{"event":"<script>=cmd|${jndi:"}`:                                        {200, "", 1, 0},
		`{"event":"x","timestamp":1e400}`:                                         {200, "", 1, 0},
		`{"event":"x","messageId":"` + strings.Repeat("m", 500_000) + `"}`:        {200, "", 1, 0},
	} {
		before := len(s.producer.Stored())
		got := s.do(request{path: "/v1/batch", body: text})
		name := text[:min(len(text), 80)]
		assert.Equal(t, want.status, got.status, "%s: %s", name, got.text)
		assert.Equal(t, want.code, got.body.Code, name)
		assert.Len(t, s.producer.Stored(), before+want.kept, name)
		if want.status == 200 {
			assert.Equal(t, `{"success":true}`, got.text)
			assert.Equal(t, fmt.Sprint(want.rejected), got.header.Get("X-Rejected-Events"), name)
		} else {
			assert.Contains(t, got.text, `"success":false,"message":"`, name)
		}
		if want.status == 400 && want.rejected == 0 {
			assert.Empty(t, got.header.Get("X-Rejected-Events"), name)
		}
	}
	for _, content := range []string{"text/plain", "application/x-www-form-urlencoded", "nonsense", "multipart/form-data", ""} {
		got := s.do(request{path: "/v1/t", body: ok, header: map[string]string{"Content-Type": content}})
		assert.Equal(t, 200, got.status, content)
	}
}

// TestSegmentLimits: one below, at and one above each limit.
func TestSegmentLimits(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config, _ *Deps) { c.MaxEventBytes, c.MaxBulkBytes = 1000, 200_000 })
	item := func(n int) string {
		return `{"event":"` + strings.Repeat("x", n-len(`{"event":""}`)) + `"}`
	}
	for n, want := range map[int]int{999: 200, 1000: 200, 1001: 413} {
		got := s.do(request{path: "/v1/batch", body: item(n)})
		assert.Equal(t, want, got.status, "an event of %d: %s", n, got.text)
		got = s.do(request{path: "/v1/batch", body: `{"batch":[` + item(n) + `,{"event":"y"}]}`})
		assert.Equal(t, 200, got.status, "an event of %d: %s", n, got.text)
		assert.Equal(t, map[int]string{200: "0", 413: "1"}[want], got.header.Get("X-Rejected-Events"))
	}
	for n, want := range map[int]int{199_999: 200, 200_000: 200, 200_001: 413} {
		text := `{"batch":[{"event":"x"}]` + strings.Repeat(" ", n-len(`{"batch":[{"event":"x"}]}`)) + `}`
		for _, r := range []request{
			{body: text}, {body: text, chunked: true}, encoded("", "gzip", text), encoded("", "br", text),
			{body: encoded("", "gzip", text).body},
		} {
			r.path = "/v1/batch"
			got := s.do(r)
			assert.Equal(t, want, got.status, "a body of %d: %s", n, got.text)
			if want == 413 {
				assert.Equal(t, ingest.LimitBulkBytes, got.body.Limit)
			}
		}
	}
	for n, want := range map[int]int{9_999: 200, 10_000: 200, 10_001: 413} {
		got := s.do(request{path: "/v1/batch", body: `[` + strings.Repeat(`{"traits":{}},`, n-1) + `{"traits":{}}]`})
		assert.Equal(t, want, got.status, "%d events: %s", n, got.text)
		if want == 413 {
			assert.Equal(t, event.LimitBulkEvents, got.body.Limit)
		}
	}
	for n, want := range map[int]int{63: 200, 64: 200, 65: 400} {
		got := s.do(request{path: "/v1/t", body: `{"event":"x","a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`})
		assert.Equal(t, want, got.status, "depth %d: %s", n, got.text)
	}
}

// TestSegmentRateLimit: a batch is kept whole or not at all, so that the client may send it again whole, and a refusal
// costs nothing.
func TestSegmentRateLimit(t *testing.T) {
	t.Parallel()
	s := serve(t, withProjects(t, limited(10, "60s")))
	batch := func(n int, of string) request {
		return request{path: "/v1/batch", body: events(n, func(i int) string { return fmt.Sprintf(`{"event":"x","messageId":"%s-%d"}`, of, i) })}
	}
	got := s.do(batch(6, "a"))
	require.Equal(t, 200, got.status)
	assert.Equal(t, `"events";r=4;t=36`, got.header.Get("RateLimit"))
	for range 3 {
		got = s.do(batch(5, "b"))
		assert.Equal(t, 429, got.status)
		assert.Equal(t, "60", got.header.Get("Retry-After"))
		assert.Equal(t, `"events";r=4;t=36`, got.header.Get("RateLimit"))
		assert.Contains(t, got.text, `"success":false`)
	}
	assert.Len(t, s.producer.Stored(), 6)
	assert.Equal(t, 200, s.do(batch(4, "c")).status)
	assert.Equal(t, 429, s.do(batch(1, "d")).status)
	s.clock.advance(time.Minute)
	got = s.do(batch(11, "e"))
	assert.Equal(t, 413, got.status, "it would never fit")
	assert.Equal(t, ingest.LimitRate, got.body.Limit)
	assert.Equal(t, 200, s.do(batch(10, "f")).status)
	assert.Len(t, s.rows(), 20)
	s.clock.advance(time.Minute)
	for range 10 {
		assert.Equal(t, 400, s.do(request{path: "/v1/batch", body: `{"batch":[{}]}`}).status)
	}
	assert.Equal(t, 429, s.do(request{path: "/v1/batch", body: `{"batch":[{}]}`}).status, "nonsense is not free")
}

// TestSegmentWithoutKafka: with Kafka away the client is told to send all of it again, which then makes one row of each
// event, whether or not Kafka had taken it.
func TestSegmentWithoutKafka(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]error{"not taken": brokertest.ErrDown, "answer lost": brokertest.ErrLost} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, withProjects(t, limited(10, "60s")), func(c *Config, _ *Deps) { c.RequestTimeout = time.Second })
			s.producer.Failing(func() (bool, error) { return errors.Is(lost, brokertest.ErrLost), lost })
			batch := request{path: "/v1/batch", body: events(9, func(i int) string { return fmt.Sprintf(`{"event":"x","messageId":"%d"}`, i) })}
			got := s.do(batch)
			assert.Equal(t, 503, got.status, got.text)
			assert.NotEmpty(t, got.header.Get("Retry-After"))
			assert.Contains(t, got.text, `"success":false`)
			s.producer.Failing(nil)
			waitUntil(t, func() bool { got = s.do(batch); return got.status == 200 })
			assert.Len(t, s.rows(), 9)
		})
	}
}

// TestSegmentWithSpool: while Kafka is away the spool keeps what the answer says is kept, and with Kafka back all of it
// is on the topic. Clients that dropped a 503 lose nothing.
func TestSegmentWithSpool(t *testing.T) {
	t.Parallel()
	spool, _ := withSpool(t, t.TempDir())
	s := serve(t, spool)
	s.producer.Down(brokertest.ErrDown)
	for i := range 5 {
		body := fmt.Sprintf(`{"batch":[{"event":"x","messageId":"%d"},{"event":"y","messageId":"%d b"}]}`, i, i)
		got := s.do(request{path: "/v1/batch", body: body})
		require.Equal(t, 200, got.status, got.text)
		require.Equal(t, 200, s.do(request{path: "/batch/", body: body}).status)
	}
	assert.Empty(t, s.producer.Stored())
	s.producer.Up()
	waitUntil(t, func() bool { return len(s.producer.Stored()) >= 20 })
	assert.Len(t, s.rows(), 20)
}

// TestSegmentHeaders: what the head of a request says holds for calls as for events of our own.
func TestSegmentHeaders(t *testing.T) {
	t.Parallel()
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	s := serve(t)
	for range 2 {
		got := s.do(request{
			path: "/v1/batch", body: `{"batch":[{"event":"x"},{"event":"y","messageId":"m"}],"sentAt":"2026-11-23T11:00:00Z"}`,
			header: map[string]string{
				"Traceparent": parent, "Idempotency-Key": "k", "X-Sent-At": "2026-11-23T11:30:00Z", "X-Request-Id": "mine",
			},
		})
		require.Equal(t, 200, got.status, got.text)
		assert.Equal(t, "mine", got.header.Get("X-Request-Id"))
	}
	for _, r := range s.producer.Stored() {
		of, err := event.ParseHeaders(r.Headers)
		require.NoError(t, err)
		assert.Equal(t, parent, of.Traceparent)
		assert.Equal(t, "segment", of.Format)
		assert.Equal(t, "demo", of.Project)
	}
	rows := s.rows()
	require.Len(t, rows, 2)
	assert.Equal(t, "2026-11-23T11:30:00Z", rows[0].Sent, "the header counts more than the body")
	assert.Equal(t, ingest.DerivedID("demo", []byte("k"), 0).String(), rows[0].ID)
	got := s.do(request{path: "/v1/batch", body: `[{"event":"x"}]`, header: map[string]string{"Idempotency-Key": "a b"}})
	assert.Equal(t, 400, got.status)
}
