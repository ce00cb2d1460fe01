package measure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// engine asks the ClickHouse engine by HTTP.
type engine struct{ addr string }

// ask runs a query and returns its answer.
func (e engine) ask(ctx context.Context, query string) (string, error) {
	target := url.URL{Scheme: "http", Host: e.addr, Path: "/", RawQuery: url.Values{"database": {"default"}}.Encode()}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader(query))
	if err != nil {
		return "", fmt.Errorf("ask ClickHouse: %w", err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("ask ClickHouse: %w", err)
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return "", fmt.Errorf("read ClickHouse's answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return "", errors.New("ClickHouse refused a query: " + strings.TrimSpace(string(text)))
	}
	return strings.TrimSpace(string(text)), nil
}

// number runs a query that answers one number.
func (e engine) number(ctx context.Context, query string) (float64, error) {
	text, err := e.ask(ctx, query)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("read ClickHouse's answer: %w", err)
	}
	return n, nil
}

// counters are some of the engine's own counters since its start.
type counters struct {
	Inserts    float64 `json:"inserts,string"`
	MergedRows float64 `json:"merged,string"`
	Received   float64 `json:"received,string"`
}

func (e engine) counters(ctx context.Context) (counters, error) {
	text, err := e.ask(ctx, `SELECT toString(sumIf(value, event = 'InsertQuery')) AS inserts,
		toString(sumIf(value, event = 'MergedRows')) AS merged,
		toString(sumIf(value, event = 'NetworkReceiveBytes')) AS received
		FROM system.events FORMAT JSONEachRow`)
	if err != nil {
		return counters{}, err
	}
	var c counters
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return counters{}, fmt.Errorf("read ClickHouse's counters: %w", err)
	}
	return c, nil
}

func (c counters) since(earlier counters) counters {
	return counters{c.Inserts - earlier.Inserts, c.MergedRows - earlier.MergedRows, c.Received - earlier.Received}
}
