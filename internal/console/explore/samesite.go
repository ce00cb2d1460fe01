package explore

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// sameSite lets only pages of this very server ask.
func sameSite(next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ownHost(r.Host) {
			fail(w, http.StatusForbidden, "open the console at an IP address or at localhost: under another name, "+
				"a foreign page could read your events")
			return
		}
		sameOrigin.ServeHTTP(w, r)
	})
}

// ownHost reports whether a Host header cannot be a name of somebody else's.
func ownHost(header string) bool {
	host := header
	if h, port, err := net.SplitHostPort(header); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return false
		}
		host = h
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || strings.EqualFold(host, "localhost")
}
