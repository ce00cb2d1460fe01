package clickhouse

import (
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

// someServer answers over HTTP as a server would that says of itself what it is told to, and keeps what it was asked.
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

// To a server that is too old nothing is sent: not an insert and not a question. Once it is upgraded the next try succeeds.
func TestTooOldIsRefused(t *testing.T) {
	s := newSomeServer(t, append(modern, "version 25.7.9.9")...)
	log := &logText{}
	p := newPool(s.store(), slog.New(slog.NewTextHandler(log, nil)))
	defer p.Close()
	err := p.Insert(t.Context(), rowstest.Many(t, 1), "token")
	if err == nil || !IsSetup(err) || IsUncertain(err) || !strings.Contains(err.Error(), "25.7.9.9 is older than 25.8") {
		t.Errorf("insert: %v", err)
	}
	if _, err := p.Highest(t.Context(), "events", 0, 0); !IsSetup(err) {
		t.Errorf("question: %v", err)
	}
	if asked := s.questions(); len(asked) > 0 {
		t.Errorf("it was sent %q", asked)
	}
	s.become(append(modern, "version 25.8.0.1")...)
	if err := p.Insert(t.Context(), rowstest.Many(t, 1), "token"); err != nil || len(s.questions()) != 1 {
		t.Errorf("after the upgrade: %v", err)
	}
	if log.String() != "" {
		t.Errorf("it was said:\n%s", log)
	}
}

// A setting that matters and that the server does not know is named in the log, once, and one that does not matter is not.
func TestUnknownSettingIsSaid(t *testing.T) {
	s := newSomeServer(t, "insert_deduplicate", tokenSetting, "version 26.7.1.1")
	log := &logText{}
	p := newPool(s.store(), slog.New(slog.NewTextHandler(log, nil)))
	defer p.Close()
	for range 2 * connections {
		if err := p.Insert(t.Context(), rowstest.Many(t, 1), "token"); err != nil {
			t.Fatal(err)
		}
	}
	text := log.String()
	if strings.Count(text, "\n") != 1 || !strings.Contains(text, "async_insert") || !strings.Contains(text, "max_partitions_per_insert_block") || strings.Contains(text, "deduplicate_insert") {
		t.Errorf("said:\n%s", text)
	}
}

// On ClickHouse Cloud questions wait until the server that is asked knows what all do, and a cluster cannot be named.
func TestCloud(t *testing.T) {
	for _, cloud := range []bool{false, true} {
		lines := append(slices.Clone(modern), "version 26.7.1.1")
		if cloud {
			lines = append(lines, "cloud")
		}
		s := newSomeServer(t, lines...)
		p := newPool(s.store(), slog.New(slog.DiscardHandler))
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
		store := s.store()
		store.Cluster = "c"
		c := New(store, slog.New(slog.DiscardHandler))
		if err := c.Insert(t.Context(), rowstest.Many(t, 1), "token"); cloud && (!IsSetup(err) || !strings.Contains(err.Error(), "ClickHouse Cloud")) {
			t.Errorf("a cluster on Cloud: %v", err)
		}
		c.Close()
	}
}

// The real server takes a question the way Cloud is asked.
func TestCloudQuestion(t *testing.T) {
	overBothMigrated(t, func(t *testing.T, _ *clickhousetest.Database, to *inserter) {
		if err := to.Insert(t.Context(), rowstest.Many(t, 3), ""); err != nil {
			t.Fatal(err)
		}
		to.known.Cloud = true
		if highest, err := to.Highest(t.Context(), "events", 0, 0); highest != 2 || err != nil {
			t.Errorf("highest %d, error %v", highest, err)
		}
	})
}

// A ClickHouse whose clock is ahead removes rows as too old within the insert, and gets none.
func TestClickHouseClockAhead(t *testing.T) {
	for ahead, unfit := range map[time.Duration]bool{
		-50 * 365 * 24 * time.Hour: false, -time.Hour: false, 0: false, time.Hour: false,
		mostAhead - time.Minute: false, mostAhead + time.Minute: true, 100 * 24 * time.Hour: true, 50 * 365 * 24 * time.Hour: true,
	} {
		s := &Server{}
		s.learn("version 26.7.3.1")
		s.learn("clock " + strconv.FormatInt(time.Now().Add(ahead).UnixMilli(), 10))
		err := s.Unfit()
		if (err != nil) != unfit || err != nil && !strings.Contains(err.Error(), "clock") {
			t.Errorf("%s ahead: %v", ahead, err)
		}
	}
}
