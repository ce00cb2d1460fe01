package embedded

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// helloTimeout is how long a client may take to send its first packet.
	helloTimeout = 10 * time.Second
	// unreadTimeout is how long the engine may still write to a client that has disconnected.
	unreadTimeout = 30 * time.Second
)

// front listens on the native port in the engine's place. A refusal for a wrong password or a missing database ends the
// library's process, so the front answers such clients itself. It passes all other connections through unchanged.
type front struct {
	listener net.Listener
	http     *http.Client
	wait     sync.WaitGroup

	mu     sync.Mutex
	open   map[net.Conn]struct{}
	closed bool
}

// newFront opens the address.
func newFront(addr string) (*front, error) {
	if err := checkLoopback(addr); err != nil {
		return nil, err
	}
	l, err := listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: helloTimeout}
	return &front{listener: l, http: client, open: map[net.Conn]struct{}{}}, nil
}

func (f *front) addr() string { return f.listener.Addr().String() }

// serve forwards connections to the engine at the two addresses, until close.
func (f *front) serve(tcpAddr, httpAddr string) {
	f.wait.Go(func() {
		for {
			conn, err := f.listener.Accept()
			if err != nil {
				if errors.Is(err, net.ErrClosed) {
					return
				}
				time.Sleep(probeInterval) // out of descriptors
				continue
			}
			f.wait.Go(func() { f.handle(conn, tcpAddr, httpAddr) })
		}
	})
}

// close ends all connections, and returns after the last goroutine of the front has ended.
func (f *front) close() {
	_ = f.listener.Close()
	f.mu.Lock()
	f.closed = true
	for conn := range f.open {
		_ = conn.Close()
	}
	f.mu.Unlock()
	f.wait.Wait()
}

// hold registers a connection for close to end. It returns false after close was called.
func (f *front) hold(conn net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.open[conn] = struct{}{}
	}
	return !f.closed
}

func (f *front) release(conn net.Conn) {
	f.mu.Lock()
	delete(f.open, conn)
	f.mu.Unlock()
	_ = conn.Close()
}

func (f *front) handle(client net.Conn, tcpAddr, httpAddr string) {
	defer f.release(client)
	if !f.hold(client) {
		return
	}
	_ = client.SetReadDeadline(time.Now().Add(helloTimeout))
	said := bufio.NewReaderSize(client, helloLimit)
	if who, ok := peekHello(said); ok && who.mayFail() {
		if refusal := f.refuses(httpAddr, who); refusal != nil {
			_, _ = client.Write(refusal.packet())
			return
		}
	}
	_ = client.SetReadDeadline(time.Time{})
	engine, err := net.DialTimeout("tcp", tcpAddr, probeTimeout)
	if err != nil {
		return
	}
	defer f.release(engine)
	if !f.hold(engine) {
		return
	}
	early, _ := said.Peek(said.Buffered())
	if _, err := engine.Write(early); err != nil {
		return
	}
	join(client, engine)
}

// join copies in both directions until the engine disconnects. When the client disconnects, the engine reads the end of
// its input, and join discards the rest of its output.
func join(client, engine net.Conn) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(engine, client)
		if half, ok := engine.(*net.TCPConn); ok {
			_ = half.CloseWrite()
		}
	}()
	if _, err := io.Copy(client, engine); err != nil {
		_ = engine.SetReadDeadline(time.Now().Add(unreadTimeout))
		_, _ = io.Copy(io.Discard, engine)
	}
	_ = client.Close() // ends the other copy
	<-done
}

// fatalHello are the ClickHouse error codes that end the library's process if they answer a first packet: a missing
// database and failed logins.
var fatalHello = []int{81, 192, 193, 194, 516}

// refuses asks the engine over HTTP, where a failure is harmless, whether it accepts the client. It returns the
// engine's refusal or nil. The connection itself shows any other error.
func (f *front) refuses(httpAddr string, who hello) *exception {
	ctx, cancel := context.WithTimeout(context.Background(), helloTimeout)
	defer cancel()
	target := url.URL{Scheme: "http", Host: httpAddr, Path: "/",
		RawQuery: url.Values{"query": {"SELECT 1"}, "database": {who.database}}.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil
	}
	req.Header.Set("X-ClickHouse-User", who.user)
	req.Header.Set("X-ClickHouse-Key", who.password)
	res, err := f.http.Do(req)
	if err != nil {
		return nil
	}
	defer res.Body.Close() //nolint:errcheck // only read
	code, err := strconv.Atoi(res.Header.Get("X-ClickHouse-Exception-Code"))
	if err != nil || !slices.Contains(fatalHello, code) {
		return nil
	}
	text, _ := bufio.NewReaderSize(res.Body, 4<<10).ReadString('\n')
	_, text, _ = strings.Cut(text, ". ") // "Code: 516. DB::Exception: …"
	return &exception{code: int32(code), text: strings.TrimSpace(text)}
}
