package ingest

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"
)

// failedKeys limits how many unknown keys an address may send. Only requests with an unknown key ask it, so valid keys
// from the same address, which may be a whole office, always pass.
//
// The addresses share a table of fixed size, so memory does not grow with their number. Two addresses in one slot share
// its allowance: one of them may get a 429 in place of a 401. The seed is random, so that nobody can choose an address
// that shares another's slot.
//
// Safe for concurrent use.
type failedKeys struct {
	each  time.Duration // what one failed key costs
	start time.Time     // with its monotonic reading
	seed  maphash.Seed
	// slots hold when the whole allowance will be back, in ns since start (GCRA's theoretical arrival time).
	slots [failedKeySlots]atomic.Int64
}

const (
	failedKeySlots  = 1 << 16
	failedKeyWindow = time.Minute
)

// newFailedKeys allows perMinute unknown keys in a minute, all at once or spread.
func newFailedKeys(perMinute int, now time.Time) *failedKeys {
	return &failedKeys{each: failedKeyWindow / time.Duration(perMinute), start: now, seed: maphash.MakeSeed()}
}

// allow counts an unknown key and reports whether the address had one left. A refused key costs nothing.
func (f *failedKeys) allow(from netip.Addr, now time.Time) bool {
	at := now.Sub(f.start).Nanoseconds()
	slot := &f.slots[maphash.Comparable(f.seed, addressPrefix(from))%failedKeySlots]
	for {
		old := slot.Load()
		next := max(old, at) + int64(f.each)
		if next-at > int64(failedKeyWindow) {
			return false
		}
		if slot.CompareAndSwap(old, next) {
			return true
		}
	}
}

// addressPrefix returns the smallest part of the network that one customer has: an IPv4 address, or a /64 of IPv6,
// within which the customer can take any address.
func addressPrefix(addr netip.Addr) netip.Addr {
	if !addr.Is6() {
		return addr
	}
	prefix, _ := addr.Prefix(64) // an address without a zone has one
	return prefix.Addr()
}

// errFailedKeys has no RateLimit fields: the allowance belongs to no project.
var errFailedKeys = func() *Problem {
	p := Refuse(KindRateLimited, "Too many unknown keys came from this address.")
	p.RetryAfter = int(failedKeyWindow / time.Second)
	return p
}()
