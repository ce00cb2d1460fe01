// Package clientaddr finds the address of a request's client behind proxies.
package clientaddr

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/valyala/fasthttp"

	"sluice/internal/settings"
)

// Proxies are the networks whose X-Forwarded-For is trusted. The zero value trusts nobody.
type Proxies []netip.Prefix

// Parse reads networks (10.0.0.0/8) and single addresses. The error names the first entry that is neither.
func Parse(entries []string) (Proxies, error) {
	var out Proxies
	for _, entry := range entries {
		if addr, err := netip.ParseAddr(entry); err == nil && addr.Zone() == "" {
			addr = addr.Unmap()
			out = append(out, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(entry)
		if err != nil || prefix.Addr().Is4In6() {
			return nil, fmt.Errorf("%s is neither an address nor a network such as 10.0.0.0/8", settings.Shown(entry))
		}
		out = append(out, prefix.Masked())
	}
	return out, nil
}

func (p Proxies) trust(addr netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// Client returns the address that a request comes from: the connection's peer or, if the peer is a trusted proxy, the
// last address in X-Forwarded-For that is not trusted. Each proxy appends the address that connected to it, so
// anything left of that address is the client's own claim. If all addresses are trusted, the first one counts.
//
// Only X-Forwarded-For counts. A proxy that sets one such header passes the others through as the client wrote them.
func (p Proxies) Client(ctx *fasthttp.RequestCtx) netip.Addr {
	peer := peerAddr(ctx.RemoteAddr())
	if len(p) == 0 || !p.trust(peer) {
		return peer
	}
	client := peer
	fields := ctx.Request.Header.PeekAll(fasthttp.HeaderXForwardedFor)
	for i := len(fields) - 1; i >= 0; i-- {
		entries := strings.Split(string(fields[i]), ",")
		for j := len(entries) - 1; j >= 0; j-- {
			addr, ok := parseForwarded(strings.TrimSpace(entries[j]))
			if !ok {
				return client // the proxy that wrote this is the last known address
			}
			if client = addr; !p.trust(client) {
				return client
			}
		}
	}
	return client
}

// parseForwarded reads an address as proxies write it: with or without a port, IPv6 with or without brackets.
func parseForwarded(text string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	if both, err := netip.ParseAddrPort(text); err == nil {
		return both.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

// peerAddr returns the address of a connection's other end, or the zero address if it is not TCP.
func peerAddr(addr net.Addr) netip.Addr {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}
