package scrape

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// resolver answers from a map.
func resolver(asked *int, names map[string][]string) func(context.Context, string) ([]netip.Addr, error) {
	return func(_ context.Context, host string) ([]netip.Addr, error) {
		*asked++
		found, ok := names[host]
		if !ok {
			return nil, &net.DNSError{Err: "no such host", Name: host, Server: "10.0.0.53"}
		}
		var out []netip.Addr
		for _, a := range found {
			out = append(out, netip.MustParseAddr(a))
		}
		return out, nil
	}
}

func TestTargets(t *testing.T) {
	asked := 0
	targets := NewTargets([]string{"consumers:8082", "10.0.0.9:1", "[::1]:2", "both:3", "10.0.0.1:8082", "nobody:4"})
	targets.lookup = resolver(&asked, map[string][]string{
		"consumers": {"10.0.0.2", "10.0.0.1"}, "both": {"::1", "127.0.0.1", "::ffff:127.0.0.1"},
	})
	now := time.Unix(0, 0)
	var got []string
	for _, target := range targets.At(t.Context(), now) {
		text := target.Address
		if target.Err != nil {
			text += " " + target.Err.Error()
		}
		got = append(got, text)
	}
	require.Equal(t, []string{
		"10.0.0.1:8082", "10.0.0.2:8082", "10.0.0.9:1", "[::1]:2", "127.0.0.1:3", "nobody:4 resolve nobody: no such host",
	}, got, "each once, and one family of a name with both")
	require.Equal(t, 3, asked)
	targets.At(t.Context(), now.Add(resolveEvery-1))
	require.Equal(t, 3, asked, "the answer is still fresh")
	targets.At(t.Context(), now.Add(resolveEvery))
	require.Equal(t, 6, asked)
}

// A name with many addresses does not make a sample cost any amount.
func TestTargetsAreBounded(t *testing.T) {
	for _, n := range []int{MaxTargets - 1, MaxTargets, MaxTargets + 1} {
		var addresses []string
		for i := range n {
			addresses = append(addresses, "10.0.0."+strconv.Itoa(i))
		}
		asked := 0
		targets := NewTargets([]string{"many:1"})
		targets.lookup = resolver(&asked, map[string][]string{"many": addresses})
		require.Len(t, targets.At(t.Context(), time.Now()), min(n, MaxTargets))
	}
}

func TestCheck(t *testing.T) {
	require.NoError(t, Check(nil))
	require.NoError(t, Check([]string{"consumer:8082", "[::1]:8082"}))
	require.ErrorContains(t, Check([]string{"consumer"}), "the port is missing")
	require.ErrorContains(t, Check([]string{"http://consumer:8082"}), "it is a URL")
	require.ErrorContains(t, Check([]string{":8082"}), "the host is missing")
	for n, want := range map[int]bool{MaxTargets - 1: true, MaxTargets: true, MaxTargets + 1: false} {
		require.Equal(t, want, Check(make64(n)) == nil, n)
	}
}

func make64(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = "h" + strconv.Itoa(i) + ":1"
	}
	return out
}

// A consumer that is away, or something that is no consumer, is an answer that says so.
func TestAsk(t *testing.T) {
	serve := func(handler http.HandlerFunc) Target {
		s := httptest.NewServer(handler)
		t.Cleanup(s.Close)
		return Target{Address: strings.TrimPrefix(s.URL, "http://")}
	}
	write := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/metrics" {
				_, _ = w.Write([]byte(text))
			}
		}
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	stuck := make(chan struct{})
	defer close(stuck)
	line := "# a comment of a hundred bytes or so, which makes the answer as long as anybody could want it to be long\n"

	c := NewClient()
	defer c.Close()
	answers := c.Ask(t.Context(), []Target{
		serve(write("a 3\n")),
		{Address: "nobody:1", Err: errors.New("resolve nobody: no such host")},
		{Address: closed.Addr().String()},
		serve(http.NotFound),
		serve(write("<html>")),
		serve(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}),
		serve(write(strings.Repeat(line, maxBytes/len(line)+1))),
		serve(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-stuck:
			case <-r.Context().Done():
			}
		}),
	})
	require.NoError(t, answers[0].Err)
	require.InDelta(t, 3, answers[0].Reading.Gauge("a"), 0)
	for i, want := range map[int]string{
		1: "no such host", 2: "connection refused", 3: "404", 4: "no Prometheus metrics", 5: "302", 6: "answered more than",
		7: "no answer within 3s",
	} {
		require.ErrorContains(t, answers[i].Err, want)
		require.NotContains(t, answers[i].Err.Error(), "http://")
	}
}
