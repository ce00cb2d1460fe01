package clickhouse

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"

	"github.com/ClickHouse/ch-go/proto"
)

// refusing is the address of a server that answers every login with an error of ClickHouse. The engine of the tests
// cannot produce some of these errors, and a failed native login ends it.
func refusing(t *testing.T, code int) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			hello := make([]byte, 1<<10)
			_, _ = conn.Read(hello)
			var b proto.Buffer
			b.PutUVarInt(uint64(proto.ServerCodeException))
			b.PutInt32(int32(code)) // small
			b.PutString("DB::Exception")
			b.PutString("no")
			b.PutString("")
			b.PutBool(false)
			_, _ = conn.Write(b.Buf)
			conn.Close()
		}
	}()
	return l.Addr().String()
}

// refusingOverHTTP is the address of a server that refuses every request.
func refusingOverHTTP(t *testing.T, status, code int) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if code != 0 {
			w.Header().Set("X-ClickHouse-Exception-Code", fmt.Sprint(code))
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "Code: %d. DB::Exception: no", code)
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// Every code that somebody must act on is recognised over both protocols and has a hint. Every other code of the list
// passes by itself.
func TestRefusals(t *testing.T) {
	for code, tell := range map[int]string{
		16: "consumer migrate", 47: "consumer migrate", 60: "consumer migrate", 81: "consumer migrate", 62: "", 164: "INSERT", 497: "INSERT", 192: "password", 193: "password", 194: "password", 516: "password",
		159: "passes", 202: "passes", 209: "passes", 210: "passes", 241: "passes", 242: "passes", 252: "passes", 425: "passes", 999: "passes",
	} {
		setup := tell != "passes"
		for dsn := range map[string]bool{
			"clickhouse://u:hunter2@" + refusing(t, code) + "/db":                 true,
			"http://u:hunter2@" + refusingOverHTTP(t, 500, code) + "/db":          true,
			"http://u:hunter2@" + refusingOverHTTP(t, http.StatusOK, code) + "/d": true, // it had begun to answer
		} {
			err := sendTo(t, Config{DSN: dsn}, rowstest.Block(t, rowstest.Plain(1)))
			if err == nil || Code(err) != code || CodeLabel(err) != fmt.Sprint(code) || isSetup(err) != setup {
				t.Errorf("%d from %.5s: code %d, set-up %v, error %v", code, dsn, Code(err), isSetup(err), err)
				continue
			}
			if !strings.Contains(Hint(err), tell) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%d: hint %q, error %v", code, Hint(err), err)
			}
		}
	}
}

// A proxy in front of ClickHouse can answer without a code of ClickHouse. That is never a success, and not the setup's
// fault.
func TestProxyErrors(t *testing.T) {
	for _, status := range []int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusNotFound, http.StatusNoContent, http.StatusUnauthorized} {
		err := sendTo(t, Config{DSN: "http://" + refusingOverHTTP(t, status, 0) + "/db"}, rowstest.Block(t, rowstest.Plain(1)))
		if err == nil || Code(err) != 0 || isSetup(err) {
			t.Errorf("status %d: %v", status, err)
		}
	}
}

// A wrong password is the setup's fault on the real server as well. Only over HTTP: a native login that fails ends an
// embedded engine.
func TestWrongPassword(t *testing.T) {
	d := clickhousetest.Migrated(t)
	for _, user := range []string{"default:hunter2@", "nobody:hunter2@"} {
		err := sendTo(t, reach("http://"+user+clickhousetest.Engine(t).HTTPAddr()+"/"+d.Name), rowstest.Block(t, rowstest.Plain(1)))
		if !isSetup(err) || !strings.Contains(Hint(err), "password") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
	d.Asks("SELECT count() FROM events", "0")
}
