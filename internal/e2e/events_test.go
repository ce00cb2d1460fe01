package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestOneEventBecomesARow(t *testing.T) {
	p := newPipeline(t, 12)
	p.startGateway("127.0.0.1:0")
	p.startConsumer("--flush-age", "1s")
	body := `{"message":"hello \ud83d\ude00","level":"WARN","tags":{"a":"b"},"extra":{"n":12345678901234567890}}`
	// A row is there within 2 s. On a busy machine that holds for one of a few events.
	var took time.Duration
	for try := 0; try == 0 || took > 2*time.Second && try < 10; try++ {
		a := p.post("/api/v1/events", "application/json", body)
		if a.status != 202 || a.EventID == "" {
			t.Fatalf("got %+v", a)
		}
		start := time.Now()
		p.eventually("the row", func() bool {
			return p.scalar("SELECT count() FROM events WHERE event_id = '"+a.EventID+"'") == 1
		})
		took = time.Since(start)
	}
	if took > 2*time.Second {
		t.Errorf("none of ten rows was there within 2 s; the last took %s", took)
	}
	var level, message, tag, payload, project string
	row := p.db.QueryRow(t.Context(), "SELECT level, message, tags['a'], payload, project_id FROM events")
	if err := row.Scan(&level, &message, &tag, &payload, &project); err != nil {
		t.Fatal(err)
	}
	if level != "warning" || message != "hello 😀" || tag != "b" || payload != body || project != "e2e" {
		t.Errorf("got %q %q %q %q %q", level, message, tag, payload, project)
	}
}

func TestBulkWithThreeBad(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 3)
	p.startGateway("127.0.0.1:0")
	p.startConsumer()
	bad := map[int]string{7: `{"message":"x","level":"loud"}`, 400: `{"message":""}`, 999: `{"message":"x","event_id":"x"}`}
	fields := map[int]string{7: "level", 400: "message", 999: "event_id"}
	lines := make([]string, 1000)
	for i := range lines {
		lines[i] = fmt.Sprintf(`{"message":"event %d"}`, i)
		if text := bad[i]; text != "" {
			lines[i] = text
		}
	}
	for i, form := range []struct{ contentType, body string }{
		{"application/json", "[" + strings.Join(lines, ",") + "]"},
		{"application/x-ndjson", strings.Join(lines, "\n")},
	} {
		a := p.post("/api/v1/events/bulk", form.contentType, form.body)
		if a.status != 202 || a.Accepted != 997 || a.Rejected != 3 || len(a.Errors) != 3 {
			t.Fatalf("%s: got %+v", form.contentType, a)
		}
		for _, e := range a.Errors {
			if fields[e.Index] != e.Field {
				t.Errorf("%s: index %d, field %s", form.contentType, e.Index, e.Field)
			}
		}
		p.rows(uint64(997 * (i + 1)))
	}
}
