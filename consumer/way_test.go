package consumer

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// way is a way to the engine over HTTP on which things go wrong.
type way struct {
	addr    string
	rewrite func(body string) string // nil: as it is

	mu      sync.Mutex
	next    []mishap   // for the inserts to come, in turn
	always  mishap     // for all others
	inserts []string   // the tokens that reached it
	last    url.Values // of the last insert
}

// mishap is what happens to an insert, or, if it is all, to everything.
type mishap int

const (
	goesWell   mishap = iota
	answerLost        // it is in, and the connection ends
	lost              // the connection ends before
	refusedRow        // 53, the rows' fault
	readOnly          // 242: it has lost Keeper
	gone              // nothing is answered, not even a question
)

func newWay(t *testing.T) *way {
	t.Helper()
	w := &way{}
	s := httptest.NewServer(w)
	t.Cleanup(s.Close)
	w.addr = s.Listener.Addr().String()
	return w
}

func (w *way) plan(next ...mishap) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next = next
}

func (w *way) stay(m mishap) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.always = m
}

func (w *way) tokens() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.inserts...)
}

func (w *way) take(r *http.Request) mishap {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !strings.HasPrefix(r.URL.Query().Get("query"), "INSERT") {
		if w.always == gone {
			return gone
		}
		return goesWell
	}
	w.last = r.URL.Query()
	w.inserts = append(w.inserts, r.URL.Query().Get(tokenSetting))
	if len(w.next) > 0 {
		m := w.next[0]
		w.next = w.next[1:]
		return m
	}
	return w.always
}

func (w *way) ServeHTTP(to http.ResponseWriter, r *http.Request) {
	fault := func(code, text string) {
		to.Header().Set("X-ClickHouse-Exception-Code", code)
		to.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(to, text)
	}
	m := w.take(r)
	switch m {
	case lost, gone:
		panic(http.ErrAbortHandler)
	case refusedRow:
		fault("53", "TYPE_MISMATCH")
		return
	case readOnly:
		fault("242", "TABLE_IS_READ_ONLY")
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if w.rewrite != nil {
		body = []byte(w.rewrite(string(body)))
	}
	onward, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+engine.HTTPAddr()+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	onward.Header = r.Header.Clone()
	resp, err := http.DefaultClient.Do(onward)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	if m == answerLost {
		panic(http.ErrAbortHandler)
	}
	for name := range resp.Header {
		to.Header().Set(name, resp.Header.Get(name))
	}
	to.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(to, resp.Body)
}
