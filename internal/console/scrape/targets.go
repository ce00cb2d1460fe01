package scrape

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"sluice/internal/settings"
)

const (
	// MaxTargets is the most addresses that are asked. It bounds what one sample costs.
	MaxTargets = 64
	// resolveEvery is how long the addresses of a name stay as they were.
	resolveEvery   = 30 * time.Second
	resolveTimeout = 2 * time.Second
)

// Check returns an error unless every address is host:port.
func Check(addresses []string) error {
	var faults []error
	for _, a := range addresses {
		if err := settings.CheckServer(a); err != nil {
			faults = append(faults, err)
		}
	}
	if len(addresses) > MaxTargets {
		faults = append(faults, fmt.Errorf("%d addresses; at most %d", len(addresses), MaxTargets))
	}
	return errors.Join(faults...)
}

// Target is one address to ask, or a name that does not resolve.
type Target struct {
	// Address is host:port; the host is an IP address if Err is nil.
	Address string
	// Err is why a name has no address.
	Err error
}

// Targets resolves configured addresses. It is not safe for concurrent use.
type Targets struct {
	configured []string
	lookup     func(ctx context.Context, host string) ([]netip.Addr, error)
	resolved   []Target
	at         time.Time
}

// NewTargets returns targets at these addresses, each host:port. A host may be a name with several addresses, such as a
// headless Service of Kubernetes: each is a target.
func NewTargets(addresses []string) *Targets {
	return &Targets{configured: addresses, lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	}}
}

// At returns the targets at a time, at most [MaxTargets]. It asks the resolver every 30 s.
func (t *Targets) At(ctx context.Context, now time.Time) []Target {
	if t.resolved != nil && now.Sub(t.at) < resolveEvery {
		return t.resolved
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	targets := []Target{}
	for _, address := range t.configured {
		for _, target := range t.resolve(ctx, address) {
			if !slices.ContainsFunc(targets, func(o Target) bool { return o.Address == target.Address }) {
				targets = append(targets, target)
			}
		}
	}
	t.resolved, t.at = targets[:min(len(targets), MaxTargets)], now
	return t.resolved
}

// resolve returns the targets of one configured address. Of a name with addresses of both families, as localhost and
// the pods of a dual-stack cluster have them, it returns those of IPv4: the others are the same processes.
func (t *Targets) resolve(ctx context.Context, address string) []Target {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return []Target{{Address: address, Err: err}}
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return []Target{{Address: address}}
	}
	found, err := t.lookup(ctx, host)
	if err != nil {
		return []Target{{Address: address, Err: fmt.Errorf("resolve %s: %w", host, reason(err))}}
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	if slices.ContainsFunc(found, netip.Addr.Is4) {
		found = slices.DeleteFunc(found, netip.Addr.Is6)
	}
	slices.SortFunc(found, netip.Addr.Compare)
	var out []Target
	for _, ip := range found {
		out = append(out, Target{Address: net.JoinHostPort(ip.String(), port)})
	}
	return out
}

// reason is a lookup's error without the name and the server, which the caller says.
func reason(err error) error {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return errors.New(dns.Err)
	}
	return err
}
