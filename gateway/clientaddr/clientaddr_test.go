package clientaddr

import (
	"net"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// TestClientAddress: a header counts as far as trusted proxies wrote it.
func TestClientAddress(t *testing.T) {
	for _, c := range []struct {
		name, trusted, peer string
		forwarded           []string
		want                string
	}{
		{"nobody is trusted", "", "192.0.2.1", []string{"198.51.100.7"}, "192.0.2.1"},
		{"the peer is not trusted", "10.0.0.0/8", "192.0.2.1", []string{"198.51.100.7"}, "192.0.2.1"},
		{"one proxy", "10.0.0.0/8", "10.1.2.3", []string{"198.51.100.7"}, "198.51.100.7"},
		{"what the client says of itself", "10.0.0.0/8", "10.1.2.3", []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7"},
		{"it says it is a proxy", "10.0.0.0/8", "10.1.2.3", []string{"10.9.9.9, 198.51.100.7"}, "198.51.100.7"},
		{"two proxies", "10.0.0.0/8", "10.1.2.3", []string{"203.0.113.9, 198.51.100.7, 10.4.4.4"}, "198.51.100.7"},
		{"two headers", "10.0.0.0/8", "10.1.2.3", []string{"203.0.113.9", "198.51.100.7, 10.4.4.4"}, "198.51.100.7"},
		{"the second header all proxies", "10.0.0.0/8", "10.1.2.3", []string{"198.51.100.7", "10.4.4.4"}, "198.51.100.7"},
		{"no header", "10.0.0.0/8", "10.1.2.3", nil, "10.1.2.3"},
		{"empty header", "10.0.0.0/8", "10.1.2.3", []string{""}, "10.1.2.3"},
		{"only proxies", "10.0.0.0/8", "10.1.2.3", []string{"10.4.4.4, 10.5.5.5"}, "10.4.4.4"},
		{"nonsense behind a proxy", "10.0.0.0/8", "10.1.2.3", []string{"198.51.100.7, unknown, 10.4.4.4"}, "10.4.4.4"},
		{"nonsense alone", "10.0.0.0/8", "10.1.2.3", []string{"<script>"}, "10.1.2.3"},
		{"with a port", "10.1.2.3", "10.1.2.3", []string{"198.51.100.7:4711"}, "198.51.100.7"},
		{"IPv6", "10.1.2.3", "10.1.2.3", []string{"2001:db8::7"}, "2001:db8::7"},
		{"IPv6 in brackets", "10.1.2.3", "10.1.2.3", []string{"[2001:db8::7]"}, "2001:db8::7"},
		{"IPv6 with a port", "10.1.2.3", "10.1.2.3", []string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		{"IPv4 as IPv6", "10.0.0.0/8", "::ffff:10.1.2.3", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{"an IPv6 proxy", "fd00::/8, ::1", "::1", []string{"198.51.100.7, fd00::5"}, "198.51.100.7"},
		{"the end of the network", "10.0.0.0/31", "10.0.0.1", []string{"198.51.100.7"}, "198.51.100.7"},
		{"one beyond the network", "10.0.0.0/31", "10.0.0.2", []string{"198.51.100.7"}, "10.0.0.2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var entries []string
			if c.trusted != "" {
				entries = strings.Split(strings.ReplaceAll(c.trusted, " ", ""), ",")
			}
			p, err := Parse(entries)
			if err != nil {
				t.Fatal(err)
			}
			var req fasthttp.Request
			for _, v := range c.forwarded {
				req.Header.Add("X-Forwarded-For", v)
			}
			req.Header.Set("Forwarded", "for=203.0.113.200")
			var ctx fasthttp.RequestCtx
			ctx.Init(&req, &net.TCPAddr{IP: net.ParseIP(c.peer), Port: 1}, nil)
			if got := p.Client(&ctx).String(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestWrongProxies(t *testing.T) {
	for _, entry := range []string{"", "proxy", "10.0.0.0/33", "10.0.0", "fe80::1%eth0", "::ffff:10.0.0.0/104"} {
		if _, err := Parse([]string{entry}); err == nil {
			t.Errorf("%q was taken", entry)
		}
	}
}
