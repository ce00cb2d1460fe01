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
)

// raw sends bytes over a connection of its own and reads the first answer; more says whether another one followed.
func (s *served) raw(text string) (status int, body string, more bool) {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // a test
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return 0, "", false // closed before all was sent, which is an answer too
	}
	_ = conn.(*net.TCPConn).CloseWrite() //nolint:forcetypeassert // it is one
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

// TestFraming: requests whose length or headers can be read in two ways are how one client smuggles a request past another's
// checks. They are refused, the connection is closed, and no text of theirs is in the answer.
func TestFraming(t *testing.T) {
	s := serve(t)
	const event = `{"message":"x"}`
	n := len(event)
	head := "POST " + pathEvents + " HTTP/1.1\r\nHost: a\r\nX-Api-Key: " + testKey + "\r\n"
	with := func(headers, body string) string { return head + headers + "\r\n" + body }
	smuggled := "POST " + pathEvents + " HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
	cases := map[string]struct {
		text   string
		status int // 0: any of 4xx and 501, or the connection closed without an answer
	}{
		"length and chunked":         {with(fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n", n), event), 0},
		"chunked before a request":   {with("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n"+smuggled), 0},
		"two lengths":                {with(fmt.Sprintf("Content-Length: %d\r\nContent-Length: 5\r\n", n), event), 0},
		"two equal lengths":          {with(fmt.Sprintf("Content-Length: %d\r\nContent-Length: %d\r\n", n, n), event), 0},
		"a list of lengths":          {with(fmt.Sprintf("Content-Length: %d, %d\r\n", n, n), event), 0},
		"length with plus":           {with(fmt.Sprintf("Content-Length: +%d\r\n", n), event), 0},
		"negative length":            {with("Content-Length: -1\r\n", event), 0},
		"hexadecimal length":         {with("Content-Length: 0xf\r\n", event), 0},
		"overflowing length":         {with("Content-Length: 18446744073709551621\r\n", event), 0},
		"huge length":                {with("Content-Length: 99999999999\r\n", event), 413},
		"huge length, expecting":     {with("Content-Length: 99999999999\r\nExpect: 100-continue\r\n", ""), 413},
		"huge length, no key":        {strings.Replace(with("Content-Length: 99999999999\r\nExpect: 100-continue\r\n", ""), testKey, "nobody", 1), 401},
		"space before the colon":     {with(fmt.Sprintf("Content-Length : %d\r\n", n), event), 0},
		"space before chunked":       {with("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 0},
		"unknown transfer encoding":  {with("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 0},
		"gzip, chunked":              {with("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 0},
		"chunk size of letters":      {with("Transfer-Encoding: chunked\r\n", "ZZ\r\nxx\r\n0\r\n\r\n"), 0},
		"negative chunk size":        {with("Transfer-Encoding: chunked\r\n", "-5\r\nxxxxx\r\n0\r\n\r\n"), 0},
		"overflowing chunk size":     {with("Transfer-Encoding: chunked\r\n", "FFFFFFFFFFFFFFFF\r\nxxxxx\r\n0\r\n\r\n"), 0},
		"nul in a value":             {with("X-A: a\x00b\r\nContent-Length: 2\r\n", "{}"), 0},
		"carriage return in a value": {with("X-A: a\rb\r\nContent-Length: 2\r\n", "{}"), 0},
		"space in a name":            {with("X A: b\r\nContent-Length: 2\r\n", "{}"), 0},
		"utf-8 in a name":            {with("X-Ä: b\r\nContent-Length: 2\r\n", "{}"), 0},
		"no host":                    {"POST " + pathEvents + " HTTP/1.1\r\nX-Api-Key: " + testKey + "\r\nContent-Length: 2\r\n\r\n{}", 0},
		"two hosts":                  {with("Host: b\r\nContent-Length: 2\r\n", "{}"), 0},
		"http/9.9":                   {"POST " + pathEvents + " HTTP/9.9\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", 0},
		"http/2 preface":             {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0},
		"connect":                    {"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 0},
		"trace":                      {"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 404},
		"a thousand headers":         {with(strings.Repeat("X-A: b\r\n", 1000), ""), 431},
		"half a body":                {with("Content-Length: 100\r\n", event), 0},
		"body on get":                {"GET " + pathHealth + " HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 200},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			status, body, more := s.raw(c.text)
			if c.status != 0 && status != c.status {
				t.Errorf("got %d %q, want %d", status, body, c.status)
			}
			if c.status == 0 && status != 0 && (status < 400 || status > 501) {
				t.Errorf("got %d %q, want a refusal", status, body)
			}
			if more && c.status != 200 {
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
	if got := s.producer.stored(); len(got) != 0 {
		t.Errorf("%d events of malformed requests reached Kafka: %q", len(got), got[0].Value)
	}
	// The process lives and serves.
	if got := s.single(event); got.status != 202 {
		t.Fatalf("got %d", got.status)
	}
}

// TestSilentClientIsCutOff: a client that stops in the middle of a body gets 408; others are unharmed meanwhile.
func TestSilentClientIsCutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as a body may be silent")
	}
	t.Parallel()
	s := serve(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // a test
	// More than is read together with the headers, so that the body's own watch decides.
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: a\r\nX-Api-Key: %s\r\nContent-Length: 100000\r\n\r\n%s", pathBulk, testKey, strings.Repeat(" ", 10_000))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if got := s.single(`{"message":"x"}`); got.status != 202 {
			t.Fatalf("another client got %d", got.status)
		}
	}
	if err := conn.SetReadDeadline(time.Now().Add(bodySilence + 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // a test
	if resp.StatusCode != http.StatusRequestTimeout {
		t.Errorf("got %d", resp.StatusCode)
	}
}
