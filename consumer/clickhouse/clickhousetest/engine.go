package clickhousetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"sluice/internal/embedded"
)

// shared is the one ClickHouse of a test process.
var shared struct {
	once   sync.Once
	engine *embedded.Engine
	err    error
	end    context.CancelFunc
	done   chan error
	dir    string
}

// Main runs the tests of a package. The first test that asks for the engine starts it. Main stops the engine, fails if
// the tests left goroutines running, and exits.
func Main(m *testing.M) {
	embedded.Main()
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the engine:", err)
		code = 1
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// Engine returns the engine, which is started by the first call. A short run skips the test.
func Engine(tb testing.TB) *embedded.Engine {
	tb.Helper()
	if testing.Short() {
		tb.Skip("needs the ClickHouse engine; run without -short")
	}
	shared.once.Do(start)
	if shared.err != nil {
		tb.Fatal(shared.err)
	}
	return shared.engine
}

func start() {
	if shared.dir, shared.err = os.MkdirTemp("", "sluice-clickhouse-test-"); shared.err != nil {
		return
	}
	shared.engine = embedded.NewEngine(embedded.EngineConfig{
		TCPAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", DataDir: shared.dir, Progress: os.Stderr,
		Extra: func(port string) string { return clusters(port) + users(shared.dir) },
	})
	var ctx context.Context
	ctx, shared.end = context.WithCancel(context.Background())
	shared.done = make(chan error, 1)
	go func() { shared.done <- shared.engine.Run(ctx) }()
	select {
	case <-shared.engine.Ready():
	case shared.err = <-shared.done:
		shared.done <- shared.err
	}
}

func stop() error {
	http.DefaultClient.CloseIdleConnections()
	if shared.done == nil {
		return nil
	}
	shared.end()
	return errors.Join(<-shared.done, os.RemoveAll(shared.dir))
}

// Query sends one statement to the engine, in a database. The answer has lines of fields with tabs between them; the
// error is the text of ClickHouse's refusal.
func Query(ctx context.Context, database, statement string) (string, error) {
	target := "http://" + shared.engine.HTTPAddr() + "/?" + url.Values{"database": {database}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(statement))
	if err != nil {
		return "", fmt.Errorf("query: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("query: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(string(text))
	}
	return strings.TrimSuffix(string(text), "\n"), err
}
