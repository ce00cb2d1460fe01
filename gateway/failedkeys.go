package gateway

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"
)

// failedKeys limits how often an address may present keys that nobody has. It is looked at after a key turned out unknown,
// so that a good key from the same address, which may be a whole office's, never meets it.
//
// Addresses share a table of fixed size: memory is the same for one address and for a million. Two addresses that fall on one
// slot share its allowance, which costs the one a 429 where it would have had a 401. The seed is this process's own, so that
// nobody can choose an address for whom it falls together with.
//
// Safe for concurrent use.
type failedKeys struct {
	each  time.Duration // what one failed key costs
	start time.Time     // with its monotonic reading
	seed  maphash.Seed
	// slots hold, in ns since start, when all that was spent of the allowance will be there again (GCRA's theoretical arrival
	// time).
	slots [failedKeySlots]atomic.Int64
}

const (
	failedKeySlots  = 1 << 16
	failedKeyWindow = time.Minute
)

// newFailedKeys allows so many in a minute, all of them at once if need be.
func newFailedKeys(perMinute int, now time.Time) *failedKeys {
	return &failedKeys{each: failedKeyWindow / time.Duration(perMinute), start: now, seed: maphash.MakeSeed()}
}

// allow counts a failed key and says whether the address had it left. One that is refused costs nothing.
func (f *failedKeys) allow(from netip.Addr, now time.Time) bool {
	at := now.Sub(f.start).Nanoseconds()
	slot := &f.slots[maphash.Comparable(f.seed, household(from))%failedKeySlots]
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

// household is what one customer of a network operator has at least: an IPv4 address, or a /64 of IPv6, any of whose
// addresses it can take.
func household(addr netip.Addr) netip.Addr {
	if !addr.Is6() {
		return addr
	}
	prefix, _ := addr.Prefix(64) // an address without a zone has one
	return prefix.Addr()
}

// errFailedKeys: unlike the project's limit there is no number to tell, because it belongs to nobody.
var errFailedKeys = func() *problem {
	p := refuse(kindRateLimited, "Too many unknown keys came from this address.")
	p.retryAfter = int(failedKeyWindow / time.Second)
	return p
}()
