package clickhouse

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"
)

// An insert is in the table when it is answered, is one block, and its token counts, whatever the server's defaults are; so every
// insert says so, as far as the server knows the words. The settings are looked at on their way.
func TestInsertSettings(t *testing.T) {
	all := map[string]string{
		"async_insert": "0", "max_partitions_per_insert_block": "300", "use_strict_insert_block_limits": "0",
		"insert_deduplicate": "1", "deduplicate_insert": "enable", "insert_deduplication_token": "the token",
	}
	for _, without := range []string{"", "use_strict_insert_block_limits", "deduplicate_insert", "insert_deduplication_token"} {
		sent := make(chan url.Values, 1)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("query") != "" {
				sent <- r.URL.Query()
				return
			}
			for name := range all {
				if name != without {
					_, _ = fmt.Fprintln(w, name)
				}
			}
			_, _ = fmt.Fprintln(w, "version 25.8.1.1")
		}))
		to := newInserter(Config{DSN: "http://" + s.Listener.Addr().String() + "/db"})
		said := ""
		to.said = func(s *Server) { said = s.Fault() }
		if err := to.Insert(t.Context(), rowstest.Block(t, rowstest.Plain(1)), "the token"); err != nil {
			t.Fatal(err)
		}
		to.Close()
		s.Close()
		got := <-sent
		for key, want := range all {
			if key == without {
				want = ""
			}
			if got.Get(key) != want {
				t.Errorf("without %q: %s is %q, want %q", without, key, got.Get(key), want)
			}
		}
		if (said != "") != (without == "insert_deduplication_token") {
			t.Errorf("without %q it is said: %q", without, said)
		}
	}
}

// A server that is too old is told apart. What says nothing sensible of its age may be new.
func TestServerTooOld(t *testing.T) {
	for version, old := range map[string]bool{"25.8.1.1": false, "26.7.2.1": false, "25.7.9.9": true, "25.9.1.1": false, "24.12.1": true, "25.10.1": false, "": false, "x": false} {
		s := &Server{}
		s.learn("version " + version)
		if got := s.Unfit(); (got != nil) != old {
			t.Errorf("%s: %v", version, got)
		}
	}
}

// What ClickHouse refuses is recognised by its code over both protocols, and called what it is: something that somebody must
// set up.
func TestErrorCodes(t *testing.T) {
	clickhousetest.OverBoth(t, func(t *testing.T, d *clickhousetest.Database, dsn string) {
		traced := rowstest.From(1, "demo", rowstest.ID(1), rowstest.Noon, `{"message":"m","trace_id":"t"}`)
		fails := func(what string, code int) {
			t.Helper()
			err := sendTo(t, reach(dsn), rowstest.Block(t, traced))
			if Code(err) != code || !IsSetup(err) || !strings.Contains(Hint(err), "consumer migrate") {
				t.Errorf("%s: code %d, hint %q, error %v; want code %d", what, Code(err), Hint(err), err, code)
			}
		}
		fails("no database", 81)
		d.AskServer("CREATE DATABASE " + d.Name)
		fails("no table", 60)
		d.Migrate()
		d.Ask("ALTER TABLE events_raw DROP COLUMN trace_id")
		fails("an older table", 16)
	})
}

// An inserter that failed is good again once the cause is clickhousetest.Gone: the next try connects anew, with the DSN as it then is.
func TestInserterRecovers(t *testing.T) {
	clickhousetest.OverBoth(t, func(t *testing.T, d *clickhousetest.Database, dsn string) {
		to := newInserter(reach(dsn))
		defer to.Close()
		b := rowstest.Block(t, rowstest.Plain(1), rowstest.Plain(2))
		if err := to.Insert(t.Context(), b, ""); Code(err) != 81 {
			t.Fatalf("before the schema: %v", err)
		}
		d.Migrate()
		if err := to.Insert(t.Context(), b, ""); err != nil {
			t.Fatal(err)
		}
		to.Close() // twice does no harm
		if err := to.Insert(t.Context(), b, ""); err != nil {
			t.Fatal(err)
		}
		d.Asks("SELECT count() FROM events", "2")
	})
}

// A server that cannot be reached is time's to mend, not somebody's.
func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	for _, scheme := range []string{"clickhouse", "http"} {
		err := sendTo(t, Config{DSN: scheme + "://u:hunter2@" + closed + "/db"}, rowstest.Block(t, rowstest.Plain(1)))
		if err == nil || Code(err) != 0 || CodeLabel(err) != "network" || IsSetup(err) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}

// A server that takes the connection and says nothing holds an insert no longer than its context does.
func TestSilentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 2)
	go func() {
		defer close(accepted)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	defer func() {
		l.Close()
		for c := range accepted {
			c.Close()
		}
	}()
	for _, scheme := range []string{"clickhouse", "http"} {
		ctx, cancel := context.WithCancel(t.Context())
		to := newInserter(Config{DSN: scheme + "://" + l.Addr().String() + "/db"})
		done := make(chan error, 1)
		b := rowstest.Block(t, rowstest.Plain(1))
		go func() { done <- to.Insert(ctx, b, "") }()
		c := <-accepted
		cancel()
		select {
		case err := <-done:
			if err == nil || Code(err) != 0 {
				t.Errorf("%s: %v", scheme, err)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("%s: the insert does not end with its context", scheme)
		}
		to.Close()
		c.Close()
	}
}
