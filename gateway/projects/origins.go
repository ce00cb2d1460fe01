package projects

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Origins are the web origins (RFC 6454) whose pages may send. The zero value admits none.
type Origins struct {
	any  bool
	list *textSet // nil: none
}

// anyOrigin is how the file writes "any origin". A project without a list has it.
const anyOrigin = "*"

// Any reports whether pages of any origin may send.
func (o *Origins) Any() bool { return o.any }

// Admits reports whether pages of an origin, spelled as in the Origin header, may send.
func (o *Origins) Admits(origin []byte) bool {
	if o.any {
		return true
	}
	if o.list == nil {
		return false
	}
	_, listed := o.list.find(origin)
	return listed
}

// add adds the origins of a list as parseOrigins returns it.
func (o *Origins) add(list []byte) {
	switch string(list) {
	case "":
		return
	case anyOrigin:
		o.any = true
		return
	}
	if o.list == nil {
		o.list = &textSet{}
	}
	for origin := range bytes.SplitSeq(list, []byte("\n")) {
		o.list.add(origin)
	}
}

// readOrigins reads a list as parseOrigins returns it.
func readOrigins(list []byte) Origins {
	var o Origins
	o.add(list)
	return o
}

// parseOrigins checks the origins of a project and returns them as one text: "*" for any, "" for none, else one origin
// a line, sorted.
func parseOrigins(entries []string) ([]byte, error) {
	var list []string
	var faults []error
	anybody := false
	for _, entry := range entries {
		if entry == anyOrigin {
			anybody = true
			continue
		}
		origin, err := parseOrigin(entry)
		if err != nil {
			faults = append(faults, fmt.Errorf("origin %s: %w", shownOrigin(entry), err))
			continue
		}
		list = append(list, origin)
	}
	if len(faults) > 0 || anybody {
		return []byte(anyOrigin), errors.Join(faults...)
	}
	slices.Sort(list)
	return []byte(strings.Join(slices.Compact(list), "\n")), nil
}

// shownOrigin quotes an origin for an error. It hides one that could hold a password.
func shownOrigin(entry string) string {
	if strings.Contains(entry, "@") || len(entry) > 100 {
		return "(not shown)"
	}
	return strconv.Quote(entry)
}

var (
	originScheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)
	originHost   = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$`)
)

// parseOrigin reads scheme://host[:port] and returns it as browsers write it: in lower case, without the scheme's
// default port. Names beyond ASCII must be in Punycode, as they are in the header.
func parseOrigin(text string) (string, error) {
	scheme, rest, ok := strings.Cut(strings.ToLower(text), "://")
	if !ok || !originScheme.MatchString(scheme) {
		return "", errors.New(`must be scheme://host[:port], or "*"`)
	}
	host, port := rest, ""
	if at := strings.LastIndexByte(rest, ':'); at > strings.LastIndexByte(rest, ']') {
		host, port = rest[:at], rest[at+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return "", errors.New("the port must be 1 to 65535")
		}
	}
	if !validOriginHost(host) {
		return "", errors.New("must be scheme://host[:port] without a path, a wildcard or anything else, " +
			"the host in ASCII")
	}
	if port == "" || scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		return scheme + "://" + host, nil
	}
	return scheme + "://" + host + ":" + port, nil
}

// validOriginHost reports whether host is a name, an IPv4 address, or an IPv6 address in brackets, in the one form that
// browsers write.
func validOriginHost(host string) bool {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		return ok && err == nil && addr.Is6() && addr.Zone() == "" && addr.String() == inner
	}
	return len(host) <= 253 && originHost.MatchString(host)
}
