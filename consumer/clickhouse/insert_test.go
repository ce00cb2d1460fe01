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

	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"
)

// Whatever the defaults of a server are, an insert is in the table when it is answered, is one block, and its token
// counts. Every insert therefore sends the settings that the server knows.
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
		to := newSession(Config{DSN: "http://" + s.Listener.Addr().String() + "/db"})
		said := ""
		to.connected = func(s *Server) { said = s.Fault() }
		if err := to.send(t.Context(), "the token", rowstest.Block(t, rowstest.Plain(1))); err != nil {
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

// A version that is too old is recognised. A version that cannot be read may be new.
func TestServerTooOld(t *testing.T) {
	for version, old := range map[string]bool{"25.8.1.1": false, "26.7.2.1": false, "25.7.9.9": true, "25.9.1.1": false, "24.12.1": true, "25.10.1": false, "": false, "x": false} {
		s := &Server{}
		s.learn("version " + version)
		if got := s.Unsuitable(); (got != nil) != old {
			t.Errorf("%s: %v", version, got)
		}
	}
}

// ClickHouse's refusals are recognised by their code over both protocols. These are the setup's fault.
func TestErrorCodes(t *testing.T) {
	clickhousetest.OverBoth(t, func(t *testing.T, d *clickhousetest.Database, dsn string) {
		traced := rowstest.From(1, "demo", rowstest.ID(1), rowstest.Noon, `{"message":"m","trace_id":"t"}`)
		fails := func(what string, code int) {
			t.Helper()
			err := sendTo(t, reach(dsn), rowstest.Block(t, traced))
			if Code(err) != code || !isSetup(err) || !strings.Contains(Hint(err), "consumer migrate") {
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

// A session that failed works again once the cause is gone: the next use connects anew, with the DSN as it is then.
func TestSessionRecovers(t *testing.T) {
	clickhousetest.OverBoth(t, func(t *testing.T, d *clickhousetest.Database, dsn string) {
		to := newSession(reach(dsn))
		defer to.close()
		b := rowstest.Block(t, rowstest.Plain(1), rowstest.Plain(2))
		require.Equal(t, 81, Code(to.send(t.Context(), "", b)), "before the schema")
		d.Migrate()
		require.NoError(t, to.send(t.Context(), "", b))
		to.close() // twice does no harm
		require.NoError(t, to.send(t.Context(), "", b))
		d.Asks("SELECT count() FROM events", "2")
	})
}

// A server that cannot be reached is a transient fault.
func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	for _, scheme := range []string{"clickhouse", "http"} {
		err := sendTo(t, Config{DSN: scheme + "://u:hunter2@" + closed + "/db"}, rowstest.Block(t, rowstest.Plain(1)))
		if err == nil || Code(err) != 0 || CodeLabel(err) != "network" || isSetup(err) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}

// A server that accepts the connection and is silent holds an insert no longer than its context.
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
		to := quiet(Config{DSN: scheme + "://" + l.Addr().String() + "/db"})
		done := make(chan error, 1)
		b := rowstest.Block(t, rowstest.Plain(1))
		go func() { done <- to.Insert(ctx, "", b) }()
		c := <-accepted
		cancel()
		select {
		case err := <-done:
			if err == nil || Code(err) != 0 {
				t.Errorf("%s: %v", scheme, err)
			}
		case <-time.After(time.Minute):
			t.Errorf("%s: the insert does not end with its context", scheme)
		}
		to.Close()
		c.Close()
	}
}
