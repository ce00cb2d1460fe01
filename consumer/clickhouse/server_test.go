package clickhouse

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"
)

// someServer answers over HTTP that it is what its lines say, and keeps the questions.
type someServer struct {
	mu    sync.Mutex
	lines []string
	asked []string
	*httptest.Server
}

func newSomeServer(t *testing.T, lines ...string) *someServer {
	t.Helper()
	s := &someServer{lines: lines}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		switch text := r.URL.Query().Get("query") + string(body); {
		case strings.Contains(text, "system.settings"):
			_, _ = fmt.Fprintln(w, strings.Join(s.lines, "\n"))
		default:
			s.asked = append(s.asked, text)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *someServer) become(lines ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = lines
}

func (s *someServer) questions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *someServer) store() Config {
	return Config{DSN: "http://" + s.Listener.Addr().String() + "/db"}
}

var modern = []string{tokenSetting, "async_insert", "max_partitions_per_insert_block", "insert_deduplicate"}

// A server that is too old is sent nothing: no insert and no question. After an upgrade the next try succeeds.
func TestTooOldIsRefused(t *testing.T) {
	s := newSomeServer(t, append(modern, "version 25.7.9.9")...)
	log := &logText{}
	p := New(s.store(), slog.New(slog.NewTextHandler(log, nil)))
	defer p.Close()
	err := p.Insert(t.Context(), "token", rowstest.Many(t, 1))
	if err == nil || !isSetup(err) || IsUncertain(err) || !strings.Contains(err.Error(), "25.7.9.9 is older than 25.8") {
		t.Errorf("insert: %v", err)
	}
	if _, err := p.Highest(t.Context(), "events", 0, 0); !isSetup(err) {
		t.Errorf("question: %v", err)
	}
	if asked := s.questions(); len(asked) > 0 {
		t.Errorf("it was sent %q", asked)
	}
	s.become(append(modern, "version 25.8.0.1")...)
	if err := p.Insert(t.Context(), "token", rowstest.Many(t, 1)); err != nil || len(s.questions()) != 1 {
		t.Errorf("after the upgrade: %v", err)
	}
	if log.String() != "" {
		t.Errorf("it was said:\n%s", log)
	}
}

// A needed setting that the server does not know is logged once. Another setting is not logged.
func TestUnknownSettingIsSaid(t *testing.T) {
	s := newSomeServer(t, "insert_deduplicate", tokenSetting, "version 26.7.1.1")
	log := &logText{}
	p := New(s.store(), slog.New(slog.NewTextHandler(log, nil)))
	defer p.Close()
	for range 2 * maxConnections {
		if err := p.Insert(t.Context(), "token", rowstest.Many(t, 1)); err != nil {
			t.Fatal(err)
		}
	}
	text := log.String()
	if strings.Count(text, "\n") != 1 || !strings.Contains(text, "async_insert") || !strings.Contains(text, "max_partitions_per_insert_block") || strings.Contains(text, "deduplicate_insert") {
		t.Errorf("said:\n%s", text)
	}
}

// On ClickHouse Cloud a question waits until the server knows what all servers know.
func TestCloud(t *testing.T) {
	for _, cloud := range []bool{false, true} {
		lines := append(slices.Clone(modern), "version 26.7.1.1")
		if cloud {
			lines = append(lines, "cloud")
		}
		s := newSomeServer(t, lines...)
		p := New(s.store(), slog.New(slog.DiscardHandler))
		if _, err := p.Highest(t.Context(), "events", 0, 0); err != nil {
			t.Error(err)
		}
		if _, err := p.Missing(t.Context(), "events", 0, rowstest.Many(t, 1)); err != nil {
			t.Error(err)
		}
		p.Close()
		for _, asked := range s.questions() {
			if strings.Contains(asked, " SETTINGS select_sequential_consistency = 1 ") != cloud {
				t.Errorf("cloud %v: %s", cloud, asked)
			}
		}
	}
}

// A cluster cannot be named on ClickHouse Cloud.
func TestClusterOnCloud(t *testing.T) {
	d, way := clickhousetest.NewShard(t), clickhousetest.NewProxy(t)
	way.Rewrite = func(body string) string {
		return strings.ReplaceAll(body, "SELECT 'cloud' FROM system.settings WHERE name = 'cloud_mode' AND value = '1'", "SELECT 'cloud'")
	}
	cfg := viaProxy(d, way)
	cfg.Cluster = "two"
	c := quiet(cfg)
	defer c.Close()
	err := c.Insert(t.Context(), "token", rowstest.Many(t, 1))
	if !isSetup(err) || !errors.Is(err, ErrNotSent) || !strings.Contains(err.Error(), "ClickHouse Cloud") {
		t.Errorf("a cluster on Cloud: %v", err)
	}
	if tokens := way.Tokens(); len(tokens) > 0 {
		t.Errorf("%v were sent", tokens)
	}
}

// The real server accepts the question for ClickHouse Cloud.
func TestCloudQuestion(t *testing.T) {
	clickhousetest.OverBoth(t, func(t *testing.T, d *clickhousetest.Database, dsn string) {
		d.Migrate()
		to := newSession(reach(dsn))
		defer to.close()
		if err := to.send(t.Context(), "", rowstest.Many(t, 3)); err != nil {
			t.Fatal(err)
		}
		to.server.Cloud = true
		if highest, err := to.highest(t.Context(), []from{{"events", 0, 0}}); highest[0] != 2 || err != nil {
			t.Errorf("highest %d, error %v", highest, err)
		}
	})
}

// A server whose clock is ahead would remove rows as too old within the insert. It is sent none.
func TestClickHouseClockAhead(t *testing.T) {
	for ahead, unfit := range map[time.Duration]bool{
		-50 * 365 * 24 * time.Hour: false, -time.Hour: false, 0: false, time.Hour: false,
		maxClockAhead - time.Minute: false, maxClockAhead + time.Minute: true, 100 * 24 * time.Hour: true, 50 * 365 * 24 * time.Hour: true,
	} {
		s := &Server{}
		s.learn("version 26.7.3.1")
		s.learn("clock " + strconv.FormatInt(time.Now().Add(ahead).UnixMilli(), 10))
		err := s.Unsuitable()
		if (err != nil) != unfit || err != nil && !strings.Contains(err.Error(), "clock") {
			t.Errorf("%s ahead: %v", ahead, err)
		}
	}
}
