package clickhousetest

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

// Proxy is a way to the engine over HTTP on which things go wrong.
type Proxy struct {
	// Addr is the proxy's host:port.
	Addr string
	// Rewrite changes the body of each request. Nil changes nothing.
	Rewrite func(body string) string

	mu     sync.Mutex
	next   []Fault    // for the inserts to come, in turn
	always Fault      // for all other inserts
	tokens []string   // of the inserts that reached the proxy
	last   url.Values // of the last insert
}

// Fault is what happens to an insert, or, if it is Gone, to everything.
type Fault int

// The faults.
const (
	NoFault    Fault = iota
	AnswerLost       // the insert is in, and the connection ends
	Lost             // the connection ends before the insert reaches the engine
	RefusedRow       // code 53: the fault of the rows
	ReadOnly         // code 242: the server has lost Keeper
	Gone             // nothing is answered, not even a question
)

// NewProxy starts a proxy, which ends with the test.
func NewProxy(tb testing.TB) *Proxy {
	tb.Helper()
	Engine(tb)
	p := &Proxy{}
	s := httptest.NewServer(p)
	tb.Cleanup(s.Close)
	p.Addr = s.Listener.Addr().String()
	return p
}

// Plan says what happens to the next inserts, in turn.
func (p *Proxy) Plan(next ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = next
}

// Stay says what happens to the inserts that no plan is for.
func (p *Proxy) Stay(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.always = f
}

// Tokens are the tokens of the inserts that reached the proxy.
func (p *Proxy) Tokens() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.tokens...)
}

// Last has the parameters of the last insert. It is nil before the first one.
func (p *Proxy) Last() url.Values {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

func (p *Proxy) fault(r *http.Request) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !strings.HasPrefix(r.URL.Query().Get("query"), "INSERT") {
		if p.always == Gone {
			return Gone
		}
		return NoFault
	}
	p.last = r.URL.Query()
	p.tokens = append(p.tokens, r.URL.Query().Get("insert_deduplication_token"))
	if len(p.next) > 0 {
		f := p.next[0]
		p.next = p.next[1:]
		return f
	}
	return p.always
}

// ServeHTTP passes a request on to the engine, unless its fault says otherwise.
func (p *Proxy) ServeHTTP(to http.ResponseWriter, r *http.Request) {
	refuse := func(code, text string) {
		to.Header().Set("X-ClickHouse-Exception-Code", code)
		to.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(to, text)
	}
	fault := p.fault(r)
	switch fault {
	case Lost, Gone:
		panic(http.ErrAbortHandler)
	case RefusedRow:
		refuse("53", "TYPE_MISMATCH")
		return
	case ReadOnly:
		refuse("242", "TABLE_IS_READ_ONLY")
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if p.Rewrite != nil {
		body = []byte(p.Rewrite(string(body)))
	}
	target := "http://" + shared.engine.HTTPAddr() + r.URL.RequestURI()
	onward, err := http.NewRequestWithContext(r.Context(), r.Method, target, bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	onward.Header = r.Header.Clone()
	resp, err := http.DefaultClient.Do(onward)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	if fault == AnswerLost {
		panic(http.ErrAbortHandler)
	}
	for name := range resp.Header {
		to.Header().Set(name, resp.Header.Get(name))
	}
	to.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(to, resp.Body)
}
