package explore

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// queryTimeout is longer than the user's max_execution_time, so that ClickHouse says what took long.
	queryTimeout = 15 * time.Second
	// maxRows and maxBytes bound what an answer shows. maxCell bounds one value, in bytes.
	maxRows  = 1000
	maxBytes = 4 << 20
	maxCell  = 8 << 10
	// maxExpected is the longest list of what a syntax error expected, in bytes.
	maxExpected = 200
)

// column is a column of a result.
type column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// result is rows of texts.
type result struct {
	Columns []column   `json:"columns"`
	Rows    [][]string `json:"rows"`
	// Truncated says that there are more rows, or longer values.
	Truncated bool `json:"truncated"`
	// Text is the answer to a statement with a FORMAT of its own.
	Text string `json:"text,omitempty"`
	// ReadRows and Seconds are what the statement cost.
	ReadRows json.Number `json:"read_rows,omitempty"`
	Seconds  float64     `json:"seconds"`
}

// refusal is an error that the reader's statement caused.
type refusal string

func (r refusal) Error() string { return string(r) }

type clickhouse struct {
	cfg  Config
	http *http.Client
}

func newClickHouse(cfg Config) *clickhouse {
	// ClickHouse waits for idle connections when it stops, so there are none.
	return &clickhouse{cfg: cfg, http: &http.Client{
		Timeout: queryTimeout, Transport: &http.Transport{DisableKeepAlives: true},
	}}
}

// format is the default format: a line of names, a line of types, and a line of texts for each row.
const format = "JSONCompactStringsEachRowWithNamesAndTypes"

// post sends a statement. The caller closes the body of the answer.
func (c *clickhouse) post(ctx context.Context, sql string, params ...string) (*http.Response, error) {
	query := url.Values{
		"database": {c.cfg.Database}, "default_format": {format}, "wait_end_of_query": {"1"},
	}
	for i := 0; i+1 < len(params); i += 2 {
		query.Set(params[i], params[i+1])
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.cfg.Addr+"/?"+query.Encode(),
		strings.NewReader(sql))
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse: %w", err)
	}
	req.Header.Set("X-ClickHouse-User", c.cfg.User)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(err)
	}
	if res.StatusCode != http.StatusOK {
		defer res.Body.Close() //nolint:errcheck // only read
		text, _ := io.ReadAll(io.LimitReader(res.Body, maxCell))
		return nil, refusal(message(string(text)))
	}
	return res, nil
}

func (c *clickhouse) explain(err error) error {
	var failed net.Error
	if errors.As(err, &failed) && failed.Timeout() {
		return refusal(fmt.Sprintf("no answer within %s", queryTimeout))
	}
	return fmt.Errorf("ClickHouse at %s does not answer", c.cfg.Addr)
}

// message is ClickHouse's error text without what does not help the reader.
func message(text string) string {
	text = strings.TrimSpace(text)
	if i := strings.LastIndex(text, " (version "); i > 0 {
		text = text[:i]
	}
	if i := strings.LastIndex(text, " (SYNTAX_ERROR)"); i > 0 {
		text, _, _ = strings.Cut(text[:i], ": In scope SELECT formatQuery(") // of the guard
		if before, expected, _ := strings.Cut(text, " Expected one of: "); len(expected) > maxExpected {
			text = before // nearly all of the language
		}
	}
	return strings.Replace(text, "DB::Exception: ", "", 1)
}

// text returns the answer to a statement as it is, at most 4 MiB.
func (c *clickhouse) text(ctx context.Context, sql string, params ...string) (string, error) {
	res, err := c.post(ctx, sql, params...)
	if err != nil {
		return "", err
	}
	defer res.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(res.Body, maxBytes))
	if err != nil {
		return "", fmt.Errorf("read ClickHouse's answer: %w", err)
	}
	return string(text), nil
}

// rows returns the rows of a statement, at most maxRows.
func (c *clickhouse) rows(ctx context.Context, sql string) (*result, error) {
	began := time.Now()
	res, err := c.post(ctx, sql)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // only read
	out := &result{Columns: []column{}, Rows: [][]string{}}
	if err := out.read(res); err != nil {
		return nil, fmt.Errorf("read ClickHouse's answer: %w", err)
	}
	var summary struct {
		ReadRows json.Number `json:"read_rows"`
	}
	if json.Unmarshal([]byte(res.Header.Get("X-ClickHouse-Summary")), &summary) == nil {
		out.ReadRows = summary.ReadRows
	}
	out.Seconds = time.Since(began).Seconds()
	return out, nil
}

func (r *result) read(res *http.Response) error {
	body := io.LimitReader(res.Body, maxBytes)
	if used := res.Header.Get("X-ClickHouse-Format"); used != format && used != "" {
		text, err := io.ReadAll(body)
		r.Text, r.Truncated = strings.ToValidUTF8(string(text), "\uFFFD"), len(text) == maxBytes
		return err
	}
	lines := bufio.NewReaderSize(body, 64<<10)
	for n := 0; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			r.Truncated = r.Truncated || len(line) > 0 // the bound cut a line
			return nil
		}
		if err != nil {
			return err
		}
		var cells []string
		if err := json.Unmarshal(line, &cells); err != nil {
			return err
		}
		if full := r.add(n, cells); full {
			return nil
		}
	}
}

// add adds line n, and reports whether the result is full.
func (r *result) add(n int, cells []string) (full bool) {
	switch {
	case n == 0:
		for _, name := range cells {
			r.Columns = append(r.Columns, column{Name: name})
		}
	case n == 1:
		for i, kind := range cells {
			r.Columns[i].Type = kind
		}
	case len(r.Rows) == maxRows:
		r.Truncated = true
		return true
	default:
		for i, cell := range cells {
			if len(cell) > maxCell {
				cells[i], r.Truncated = strings.ToValidUTF8(cell[:maxCell], "")+"…", true
			}
		}
		r.Rows = append(r.Rows, cells)
	}
	return false
}
