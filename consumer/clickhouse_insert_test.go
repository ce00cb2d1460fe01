package consumer

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
		to := newInserter(ClickHouseConfig{DSN: "http://" + s.Listener.Addr().String() + "/db"})
		said := ""
		to.said = func(s *server) { said = s.fault() }
		if err := to.insert(t.Context(), rowBlock(t, rowPlain(1)), "the token"); err != nil {
			t.Fatal(err)
		}
		to.close()
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
		s := &server{}
		s.learn("version " + version)
		if got := s.unfit(); (got != nil) != old {
			t.Errorf("%s: %v", version, got)
		}
	}
}

// What ClickHouse refuses is recognised by its code over both protocols, and called what it is: something that somebody must
// set up.
func TestErrorCodes(t *testing.T) {
	clickhousetest.OverBoth(t, func(t *testing.T, d *clickhousetest.Database, dsn string) {
		traced := rowFrom(1, "demo", rowID(1), rowNoon, `{"message":"m","trace_id":"t"}`)
		fails := func(what string, code int) {
			t.Helper()
			err := sendTo(t, reach(dsn), rowBlock(t, traced))
			if errorCode(err) != code || !isSetup(err) || !strings.Contains(hintClickHouse(err), "consumer migrate") {
				t.Errorf("%s: code %d, hint %q, error %v; want code %d", what, errorCode(err), hintClickHouse(err), err, code)
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
		defer to.close()
		b := rowBlock(t, rowPlain(1), rowPlain(2))
		if err := to.insert(t.Context(), b, ""); errorCode(err) != 81 {
			t.Fatalf("before the schema: %v", err)
		}
		d.Migrate()
		if err := to.insert(t.Context(), b, ""); err != nil {
			t.Fatal(err)
		}
		to.close() // twice does no harm
		if err := to.insert(t.Context(), b, ""); err != nil {
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
		err := sendTo(t, ClickHouseConfig{DSN: scheme + "://u:hunter2@" + closed + "/db"}, rowBlock(t, rowPlain(1)))
		if err == nil || errorCode(err) != 0 || codeLabel(err) != "network" || isSetup(err) || strings.Contains(err.Error(), "hunter2") {
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
		to := newInserter(ClickHouseConfig{DSN: scheme + "://" + l.Addr().String() + "/db"})
		done := make(chan error, 1)
		b := rowBlock(t, rowPlain(1))
		go func() { done <- to.insert(ctx, b, "") }()
		c := <-accepted
		cancel()
		select {
		case err := <-done:
			if err == nil || errorCode(err) != 0 {
				t.Errorf("%s: %v", scheme, err)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("%s: the insert does not end with its context", scheme)
		}
		to.close()
		c.Close()
	}
}
