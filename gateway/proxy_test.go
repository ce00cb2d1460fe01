package gateway

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/testcert"
)

// proxy is a real proxy with the configuration of examples/, in front of gateways under test.
type proxy struct {
	t         *testing.T
	addr      string
	authority *testcert.Authority
	client    *http.Client
	log       *lockedText
}

// proxies starts each proxy of examples/ in turn.
var proxies = map[string]func(t *testing.T, gateways ...*served) *proxy{"nginx": startNginx, "haproxy": startHAProxy}

// needProgram skips the test where a program is not installed. In CI it is.
func needProgram(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path = filepath.Join("/usr/sbin", name) // where Debian puts it, which is not on every path
		if _, err = os.Stat(path); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not installed", name)
			}
			t.Skipf("%s is not installed", name)
		}
	}
	return path
}

// rewritten returns the text of an example with parts replaced. Each part must be in it.
func rewritten(t *testing.T, file string, pairs ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "examples", filepath.FromSlash(file)))
	require.NoError(t, err)
	for i := 0; i < len(pairs); i += 2 {
		require.Contains(t, string(text), pairs[i], file)
	}
	return strings.NewReplacer(pairs...).Replace(string(text))
}

// servers returns the addresses of two gateways for the two in the examples.
func servers(gateways []*served) (first, second string) {
	address := func(s *served) string { return strings.TrimPrefix(s.url, "http://") }
	return address(gateways[0]), address(gateways[len(gateways)-1])
}

func startNginx(t *testing.T, gateways ...*served) *proxy {
	t.Helper()
	program, dir, p := needProgram(t, "nginx"), t.TempDir(), newProxy(t)
	certFile, keyFile := p.authority.Write(t, dir, "proxy")
	first, second := servers(gateways)
	pairs := []string{
		"listen 443 ssl;", "listen " + p.addr + " ssl;", "/etc/nginx/tls/cert.pem", certFile, "/etc/nginx/tls/key.pem", keyFile,
		"server 10.0.0.11:8080", "server " + first, "server 10.0.0.12:8080", "server " + second,
		"/var/log/nginx/sluice.log", filepath.Join(dir, "access.log"), "worker_processes auto", "worker_processes 1", "worker_rlimit_nofile 65536;", "",
		"worker_connections 16384", "worker_connections 1000",
		"client_body_timeout 15s", "client_body_timeout 1s", "client_header_timeout 10s", "client_header_timeout 1s",
	}
	if first == second {
		pairs = append(pairs, "server 10.0.0.12:8080 max_fails=1 fail_timeout=5s;", "")
		pairs[8], pairs[9], pairs = pairs[len(pairs)-2], "", pairs[:len(pairs)-2]
	}
	text := rewritten(t, "nginx/nginx.conf", pairs...)
	text = strings.Replace(text, "http {", "http {\n"+
		"client_body_temp_path "+dir+"/body; proxy_temp_path "+dir+"/proxy; fastcgi_temp_path "+dir+"/fastcgi; "+
		"uwsgi_temp_path "+dir+"/uwsgi; scgi_temp_path "+dir+"/scgi;", 1)
	conf := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(conf, []byte(text), 0o600))
	p.start(program, "-p", dir, "-c", conf, "-e", "stderr", "-g", "daemon off; error_log stderr; user root; pid "+dir+"/pid;")
	return p
}

func startHAProxy(t *testing.T, gateways ...*served) *proxy {
	t.Helper()
	program, dir, p := needProgram(t, "haproxy"), t.TempDir(), newProxy(t)
	certFile, keyFile := p.authority.Write(t, dir, "proxy")
	both := filepath.Join(dir, "both.pem")
	cert, err := os.ReadFile(certFile)
	require.NoError(t, err)
	key, err := os.ReadFile(keyFile)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(both, append(cert, key...), 0o600))
	first, second := servers(gateways)
	pairs := []string{
		"bind :443", "bind " + p.addr, "/etc/haproxy/tls/sluice.pem", both,
		"server gateway-1 10.0.0.11:8080", "server gateway-1 " + first, "server gateway-2 10.0.0.12:8080", "server gateway-2 " + second,
		"check inter 1s", "check inter 200ms", "maxconn 16384", "maxconn 1000", "timeout client 30s", "timeout client 1s", "timeout http-request 10s", "timeout http-request 1s",
	}
	if first == second {
		pairs[7] = ""
	}
	text := strings.Replace(rewritten(t, "haproxy/haproxy.cfg", pairs...), "global\n", "global\n    nbthread 1\n", 1)
	conf := filepath.Join(dir, "haproxy.cfg")
	require.NoError(t, os.WriteFile(conf, []byte(text), 0o600))
	p.start(program, "-db", "-f", conf)
	return p
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	p := &proxy{t: t, addr: addr, authority: testcert.New(t), log: &lockedText{}}
	p.client = &http.Client{Transport: &http.Transport{TLSClientConfig: p.tls(), MaxIdleConnsPerHost: 100}}
	t.Cleanup(p.client.CloseIdleConnections)
	return p
}

func (p *proxy) tls() *tls.Config {
	return &tls.Config{RootCAs: p.authority.Pool(), ServerName: "localhost", NextProtos: []string{"http/1.1"}}
}

// start runs the proxy until the test ends, and waits until a gateway answers through it.
func (p *proxy) start(program string, args ...string) {
	p.t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = p.log, p.log
	require.NoError(p.t, cmd.Start())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	p.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // both stop at once
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		if p.t.Failed() {
			p.t.Logf("%s said:\n%s", program, p.log)
		}
	})
	waitUntil(p.t, func() bool {
		select {
		case <-ended:
			p.t.Fatalf("%s ended:\n%s", program, p.log)
		default:
		}
		resp, err := p.client.Get("https://" + p.addr + pathHealth)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// post sends a body to a path, from an address of this machine.
func (p *proxy) post(path, body string, header map[string]string) (*http.Response, string, error) {
	req, err := http.NewRequest(http.MethodPost, "https://"+p.addr+path, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp, string(text), err
}

// dial opens a connection to the proxy from an address of this machine.
func (p *proxy) dial(from string) *tls.Conn {
	p.t.Helper()
	dialer := &tls.Dialer{NetDialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}, Config: p.tls()}
	c, err := dialer.DialContext(p.t.Context(), "tcp", p.addr)
	require.NoError(p.t, err)
	require.NoError(p.t, c.SetDeadline(time.Now().Add(time.Minute)))
	p.t.Cleanup(func() { _ = c.Close() })
	return c.(*tls.Conn)
}

// exchange sends a request and reads its answer.
func exchange(t *testing.T, c net.Conn, request string) *http.Response {
	t.Helper()
	_, err := io.WriteString(c, request)
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	return resp
}

// lockedText collects a program's output.
type lockedText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
