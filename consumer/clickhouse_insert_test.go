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
)

// overBoth runs a test for a DSN of each protocol. host is the server's, the rest is user@ and the like.
func overBoth(t *testing.T, test func(t *testing.T, d *database, dsn func(user string) string)) {
	t.Helper()
	t.Run("native", func(t *testing.T) {
		d := newDatabase(t)
		test(t, d, func(user string) string { return "clickhouse://" + user + engine.TCPAddr() + "/" + d.name })
	})
	t.Run("http", func(t *testing.T) {
		d := newDatabase(t)
		test(t, d, func(user string) string { return "http://" + user + engine.HTTPAddr() + "/" + d.name })
	})
}

// Both protocols write the same rows.
func TestSameRowsOverBoth(t *testing.T) {
	var records []record
	for i, s := range resends() {
		both := s.copies(int64(i))
		records = append(records, both[0])
	}
	records = append(records, fromGateway(500, "demo", idV4(500), noon, `{"message":"\u0000 😀","tags":{"a":"1","b":"2"},"level":"fatal","user":{"id":1}}`))
	answers := map[string]string{}
	overBoth(t, func(t *testing.T, d *database, dsn func(string) string) {
		store := d.store(dsn(""))
		apply(t, store)
		d.insert(store, records...)
		d.insert(store, records[0]) // the connection's settings hold for small blocks too
		answers[t.Name()] = d.ask("SELECT * EXCEPT (inserted_at) FROM events ORDER BY _offset FORMAT TSVWithNamesAndTypes")
		if n := strings.Count(answers[t.Name()], "\n"); n != len(records)+1 {
			t.Errorf("%d rows, want %d", n-1, len(records))
		}
	})
	if answers[t.Name()+"/native"] != answers[t.Name()+"/http"] {
		t.Errorf("native:\n%s\nhttp:\n%s", answers[t.Name()+"/native"], answers[t.Name()+"/http"])
	}
}

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
		to := newInserter(Store{DSN: "http://" + s.Listener.Addr().String() + "/db"})
		said := ""
		to.said = func(s *server) { said = s.fault() }
		if err := to.insert(t.Context(), blockOf(t, plain(1)), "the token"); err != nil {
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
	overBoth(t, func(t *testing.T, d *database, dsn func(string) string) {
		traced := fromGateway(1, "demo", idV4(1), noon, `{"message":"m","trace_id":"t"}`)
		fails := func(what string, code int) {
			t.Helper()
			err := insertInto(t, d.store(dsn("")), blockOf(t, traced))
			if errorCode(err) != code || !isSetup(err) || !strings.Contains(hint(err), "consumer migrate") {
				t.Errorf("%s: code %d, hint %q, error %v; want code %d", what, errorCode(err), hint(err), err, code)
			}
		}
		fails("no database", 81)
		d.askServer("CREATE DATABASE " + d.name)
		fails("no table", 60)
		apply(t, d.store(dsn("")))
		d.ask("ALTER TABLE events_raw DROP COLUMN trace_id")
		fails("an older table", 16)
	})
}

// An inserter that failed is good again once the cause is gone: the next try connects anew, with the DSN as it then is.
func TestInserterRecovers(t *testing.T) {
	overBoth(t, func(t *testing.T, d *database, dsn func(string) string) {
		to := newInserter(d.store(dsn("")))
		defer to.close()
		b := blockOf(t, plain(1), plain(2))
		if err := to.insert(t.Context(), b, ""); errorCode(err) != 81 {
			t.Fatalf("before the schema: %v", err)
		}
		apply(t, d.store(dsn("")))
		if err := to.insert(t.Context(), b, ""); err != nil {
			t.Fatal(err)
		}
		to.close() // twice does no harm
		if err := to.insert(t.Context(), b, ""); err != nil {
			t.Fatal(err)
		}
		d.asks("SELECT count() FROM events", "2")
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
		err := insertInto(t, Store{DSN: scheme + "://u:hunter2@" + closed + "/db"}, blockOf(t, plain(1)))
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
		to := newInserter(Store{DSN: scheme + "://" + l.Addr().String() + "/db"})
		done := make(chan error, 1)
		b := blockOf(t, plain(1))
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
