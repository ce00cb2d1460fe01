package explore

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxStatement is the longest statement, in bytes.
const maxStatement = 16 << 10

// eventsSQL reads the last events. The table behind the view is enough: of resends among them it keeps the first.
const eventsSQL = `SELECT event_id, received_at, project_id, level, message, environment, release, exception_type
FROM (SELECT * FROM events_raw ORDER BY received_at DESC, _partition, _offset DESC LIMIT 200)
ORDER BY received_at DESC LIMIT 1 BY project_id, event_id LIMIT 100`

const issuesSQL = `SELECT issue_id, project_id, level, message, events, users, first_seen, last_seen
FROM issues ORDER BY events DESC, last_seen DESC LIMIT 100`

// rest is how many times as long as a fixed statement took the database rests from it.
const rest = 5

// cached is a fixed statement whose answer all browsers share for a while.
type cached struct {
	sql   string
	fresh time.Duration

	mu   sync.Mutex
	at   time.Time
	took time.Duration
	last *result
	err  error
}

func (c *cached) get(ctx context.Context, from *clickhouse) (*result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) >= max(c.fresh, rest*c.took) {
		began := time.Now()
		// The answer is for all browsers, so that one which leaves does not end it.
		c.last, c.err = from.rows(context.WithoutCancel(ctx), c.sql)
		c.at = time.Now()
		c.took = c.at.Sub(began)
	}
	return c.last, c.err
}

func (e *Explorer) answerCached(c *cached) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		rows, err := c.get(r.Context(), e.clickhouse)
		answer(w, rows, err)
	}
}

// answerQuery runs a statement: {"sql": "SELECT …"}.
func (e *Explorer) answerQuery(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		fail(w, http.StatusUnsupportedMediaType, "the body must be application/json")
		return
	}
	var body struct {
		SQL string `json:"sql"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 8*maxStatement)).Decode(&body); err != nil {
		fail(w, http.StatusBadRequest, `the body must be {"sql": "SELECT …"}`)
		return
	}
	sql := strings.TrimRight(strings.TrimSpace(body.SQL), "; \t\n")
	switch {
	case sql == "":
		fail(w, http.StatusBadRequest, "there is no statement")
		return
	case len(sql) > maxStatement:
		fail(w, http.StatusBadRequest, "the statement is longer than 16 KiB")
		return
	}
	select {
	case e.running <- struct{}{}:
		defer func() { <-e.running }()
	default:
		fail(w, http.StatusTooManyRequests, "two statements are running; wait for one of them")
		return
	}
	err := e.guard(r.Context(), sql)
	var rows *result
	if err == nil {
		rows, err = e.clickhouse.rows(r.Context(), sql)
	}
	answer(w, rows, err)
}

//go:embed examples.sql
var examplesSQL string

// example is a statement to begin with.
type example struct {
	Title string `json:"title"`
	SQL   string `json:"sql"`
}

// examples returns the statements of examples.sql. Each begins with a comment, its title.
func examples() []example {
	out := []example{}
	for part := range strings.SplitSeq(examplesSQL, ";\n") {
		title, sql, ok := strings.Cut(strings.TrimSpace(part), "\n")
		if ok {
			out = append(out, example{strings.TrimPrefix(title, "-- "), sql})
		}
	}
	return out
}

func (e *Explorer) answerExamples(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, examples())
}

func answer(w http.ResponseWriter, rows *result, err error) {
	var refused refusal
	switch {
	case errors.As(err, &refused):
		fail(w, http.StatusBadRequest, refused.Error())
	case err != nil:
		fail(w, http.StatusBadGateway, err.Error())
	default:
		write(w, http.StatusOK, rows)
	}
}

func fail(w http.ResponseWriter, status int, text string) {
	write(w, status, map[string]string{"error": text})
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
