package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	bodyroom "sluice/gateway/body"
)

// raw sends bytes over a connection of its own and reads the first answer. more reports whether another answer
// followed.
func (s *served) raw(text string) (status int, body string, more bool) {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return 0, "", false // closed before all was sent, which is an answer too
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return 0, "", false
	}
	got, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	next, err := http.ReadResponse(r, nil)
	if err == nil {
		_ = next.Body.Close()
	}
	return resp.StatusCode, string(got), err == nil
}

// TestFraming: a request whose length or headers have two readings lets a client smuggle a request past another
// server's checks. It is refused, the connection closes, and the answer repeats none of its text. Without its fault
// each request would be accepted.
func TestFraming(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const event = `{"message":"x"}`
	n := len(event)
	line := "POST " + pathEvents + " HTTP/1.1\r\n"
	key := "X-Api-Key: " + testKey + "\r\n"
	length := fmt.Sprintf("Content-Length: %d\r\n", n)
	const te = "Transfer-Encoding: chunked\r\n"
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", n, event)
	with := func(headers, body string) string { return line + "Host: a\r\n" + key + headers + "\r\n" + body }
	smuggled := "POST " + pathEvents + " HTTP/1.1\r\nHost: a\r\n" + key + "Content-Length: 15\r\n\r\n" + event
	cases := map[string]struct {
		text   string
		status int // 0: 400
	}{
		"length and chunked":         {with(length+te, chunk), 0},
		"chunked and length":         {with(te+length, chunk), 0},
		"chunked before a request":   {with(te+"Content-Length: 4\r\n", "0\r\n\r\n"+smuggled), 0},
		"two lengths":                {with(length+"Content-Length: 5\r\n", event), 0},
		"two equal lengths":          {with(length+length, event), 0},
		"a list of lengths":          {with(fmt.Sprintf("Content-Length: %d, %d\r\n", n, n), event), 0},
		"length with plus":           {with(fmt.Sprintf("Content-Length: +%d\r\n", n), event), 0},
		"negative length":            {with("Content-Length: -1\r\n", event), 0},
		"hexadecimal length":         {with("Content-Length: 0xf\r\n", event), 0},
		"overflowing length":         {with("Content-Length: 18446744073709551621\r\n", event), 0},
		"empty length":               {with("Content-Length:\r\n", event), 0},
		"length on the next line":    {with("Content-Length:\r\n 15\r\n", event), 0},
		"huge length":                {with("Content-Length: 99999999999\r\n", event), 413},
		"huge length, expecting":     {with("Content-Length: 99999999999\r\nExpect: 100-continue\r\n", ""), 413},
		"huge length, no key":        {strings.Replace(with("Content-Length: 99999999999\r\nExpect: 100-continue\r\n", ""), testKey, "nobody", 1), 401},
		"space before the colon":     {with(fmt.Sprintf("Content-Length : %d\r\n", n), event), 0},
		"space before chunked":       {with("Transfer-Encoding : chunked\r\n", chunk), 0},
		"chunked twice":              {with(te+te, chunk), 0},
		"chunked on the next line":   {with("Transfer-Encoding:\r\n chunked\r\n", chunk), 0},
		"unknown transfer encoding":  {with("Transfer-Encoding: xchunked\r\n", chunk), 0},
		"gzip, chunked":              {with("Transfer-Encoding: gzip, chunked\r\n", chunk), 0},
		"chunked, identity":          {with("Transfer-Encoding: chunked, identity\r\n", chunk), 0},
		"identity and a length":      {with("Transfer-Encoding: identity\r\n"+length, event), 0},
		"chunked after a tab":        {with("Transfer-Encoding: \x0bchunked\r\n", chunk), 0},
		"chunk size of letters":      {with(te, "ZZ\r\nxx\r\n0\r\n\r\n"), 0},
		"negative chunk size":        {with(te, "-5\r\nxxxxx\r\n0\r\n\r\n"), 0},
		"overflowing chunk size":     {with(te, "FFFFFFFFFFFFFFFF\r\nxxxxx\r\n0\r\n\r\n"), 0},
		"chunk size with 0x":         {with(te, strings.Replace(chunk, "f", "0xf", 1)), 0},
		"chunk size and a bare LF":   {with(te, strings.Replace(chunk, "\r\n", "\n", 1)), 0},
		"chunk longer than it says":  {with(te, strings.Replace(chunk, "f", "e", 1)), 0},
		"length in the trailer":      {with(te, strings.TrimSuffix(chunk, "\r\n")+"Content-Length: 5\r\n\r\n"), 0},
		"bare LF everywhere":         {strings.ReplaceAll(with(length, event), "\r\n", "\n"), 0},
		"bare LF after a header":     {with("X-A: b\n"+length, event), 0},
		"bare LF at the end":         {with(strings.TrimSuffix(length, "\r\n")+"\n", event), 0},
		"nul in a value":             {with("X-A: a\x00b\r\n"+length, event), 0},
		"carriage return in a value": {with("X-A: a\rb\r\n"+length, event), 0},
		"a header on two lines":      {with("X-A: a\r\n b\r\n"+length, event), 0},
		"two lines and a tab":        {with("X-A: a\r\n\tb: c\r\n"+length, event), 0},
		"the first on two lines":     {line + " Host: a\r\n" + key + length + "\r\n" + event, 0},
		"space in a name":            {with("X A: b\r\n"+length, event), 0},
		"tab in a name":              {with("X\tA: b\r\n"+length, event), 0},
		"colon before a name":        {with(":X-A: b\r\n"+length, event), 0},
		"no colon":                   {with("X-A\r\n"+length, event), 0},
		"utf-8 in a name":            {with("X-Ä: b\r\n"+length, event), 0},
		"no host":                    {line + key + length + "\r\n" + event, 0},
		"two hosts":                  {with("Host: b\r\n"+length, event), 0},
		"http/9.9":                   {strings.Replace(with(length, event), "HTTP/1.1", "HTTP/9.9", 1), 0},
		"http/2.0":                   {strings.Replace(with(length, event), "HTTP/1.1", "HTTP/2.0", 1), 0},
		"http/1.2":                   {strings.Replace(with(length, event), "HTTP/1.1", "HTTP/1.2", 1), 0},
		"http/0.9":                   {"GET " + pathHealth + "\r\n\r\n", 0},
		"http/2 preface":             {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0},
		"half a body":                {with("Content-Length: 10000\r\n", event), 0},
		"connect":                    {"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 404},
		"trace":                      {"TRACE /x HTTP/1.1\r\nHost: a\r\n\r\n", 404},
		"three thousand headers":     {with(strings.Repeat("X-A: b\r\n", 3000), ""), 431},
		"body on get":                {"GET " + pathHealth + " HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 200},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			want := c.status
			if want == 0 {
				want = 400
				c.text += smuggled
			}
			status, body, more := s.raw(c.text)
			if status != want {
				t.Errorf("got %d %q, want %d", status, body, want)
			}
			if more {
				t.Errorf("after %d the connection answered another request", status)
			}
			if strings.Contains(body, testKey) {
				t.Errorf("the answer repeats the request: %q", body)
			}
			if status >= 400 && !strings.Contains(body, `"code"`) {
				t.Errorf("%d is not JSON: %q", status, body)
			}
		})
	}
	if got := s.producer.Stored(); len(got) != 0 {
		t.Errorf("%d events of malformed requests reached Kafka: %q", len(got), got[0].Value)
	}
	// The gateway still serves.
	if got := s.single(event); got.status != 202 {
		t.Fatalf("got %d", got.status)
	}
}

// TestUsualFraming: rare and correct framing is accepted.
func TestUsualFraming(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const event = `{"message":"x"}`
	head := "Host: a\r\nX-Api-Key: " + testKey + "\r\n"
	for i, text := range []string{
		"POST " + pathEvents + " HTTP/1.0\r\n" + head + "Content-Length: 15\r\n\r\n" + event,
		"POST " + pathEvents + " HTTP/1.1\r\n" + head + "content-LENGTH:15\r\n\r\n" + event,
		"POST " + pathEvents + " HTTP/1.1\r\n" + head + "transfer-encoding: Chunked\r\n\r\nF\r\n" + event + "\r\n0\r\n\r\n",
		"POST " + pathEvents + " HTTP/1.1\r\n" + head + "Transfer-Encoding: chunked\r\nTrailer: X-B\r\n\r\nf;a=b\r\n" + event + "\r\n0\r\nX-B: c\r\n\r\n",
		"\r\nPOST " + pathEvents + " HTTP/1.1\r\n" + head + "X-Empty:\r\nX-Colons: a:b:c\r\nContent-Length: 15\r\n\r\n" + event,
		"POST http://a" + pathEvents + " HTTP/1.1\r\n" + head + "Content-Length: 15\r\n\r\n" + event,
	} {
		if status, body, _ := s.raw(text); status != 202 {
			t.Errorf("%d: got %d %s", i+1, status, body)
		}
	}
}

// TestPipelinedRequests: a thousand requests sent at once get a thousand answers, in order.
func TestPipelinedRequests(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const n = 1000
	conn := s.dial()
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, "POST %s HTTP/1.1\r\nHost: a\r\nX-Api-Key: %s\r\nX-Request-Id: r%d\r\nContent-Length: 15\r\n\r\n{\"message\":\"x\"}", pathEvents, testKey, i)
	}
	sent := make(chan error, 1)
	go func() { _, err := io.WriteString(conn, all.String()); sent <- err }()
	r := bufio.NewReader(conn)
	for i := range n {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", i+1, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		if id := resp.Header.Get("X-Request-Id"); resp.StatusCode != 202 || id != fmt.Sprint("r", i) {
			t.Fatalf("answer %d: %d for %s", i+1, resp.StatusCode, id)
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if got := len(s.producer.Stored()); got != n {
		t.Errorf("%d records", got)
	}
}

// TestResetConnections: clients that reset the connection in the middle of a request leave nothing behind.
func TestResetConnections(t *testing.T) {
	s := serve(t)
	head := "POST " + pathEvents + " HTTP/1.1\r\nHost: a\r\nX-Api-Key: " + testKey + "\r\n"
	for _, text := range []string{"", "POST /api", head, head + "Content-Length: 100000\r\n\r\n{", head + "Transfer-Encoding: chunked\r\n\r\nff\r\n{"} {
		conn := s.dial()
		if _, err := io.WriteString(conn, text+strings.Repeat(" ", len(text)%2*20_000)); err != nil {
			t.Fatal(err)
		}
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
	waitUntil(t, func() bool { return s.server.conns.Open() == 0 && s.ingester.UnderWay() == 0 })
	if n := len(s.producer.Stored()); n != 0 {
		t.Errorf("%d records", n)
	}
	if got := s.single(`{"message":"x"}`); got.status != 202 {
		t.Errorf("afterwards: got %d", got.status)
	}
}

// TestSilentClientIsCutOff: a client that stops in the middle of a body gets 408. Other clients are served.
func TestSilentClientIsCutOff(t *testing.T) {
	t.Parallel()
	s := serve(t, func(_ *Config, d *Deps) { d.bodySilence = time.Second })
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// This is more than the server reads together with the headers, so the body's own limit decides.
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: a\r\nX-Api-Key: %s\r\nContent-Length: 100000\r\n\r\n%s", pathBulk, testKey, strings.Repeat(" ", 10_000))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if got := s.single(`{"message":"x"}`); got.status != 202 {
			t.Fatalf("another client got %d", got.status)
		}
	}
	start := time.Now()
	if err := conn.SetReadDeadline(start.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	// The answer comes after the second of silence that this gateway allows. The default would take 10 s.
	if took := time.Since(start); resp.StatusCode != http.StatusRequestTimeout || took > bodyroom.Silence-time.Second {
		t.Errorf("got %d after %s", resp.StatusCode, took)
	}
}
