package ingest

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

// TestFailedKeysOfAMillionAddresses: the table neither grows nor makes garbage, and a new address hardly ever shares
// another's slot.
func TestFailedKeysOfAMillionAddresses(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	f := newFailedKeys(60, now)
	var bytes [4]byte
	n, refused := uint32(0), 0
	allocs := testing.AllocsPerRun(1, func() {
		for range 500_000 {
			n++
			binary.BigEndian.PutUint32(bytes[:], n*2_654_435_761)
			if !f.allow(netip.AddrFrom4(bytes), now) {
				refused++
			}
		}
	})
	if allocs > 10 {
		t.Errorf("%v allocations", allocs)
	}
	// A million keys at once on 65,536 slots of 60 each is 15 a slot. No slot should be near its limit.
	if refused > 0 {
		t.Errorf("%d of a million addresses were refused their first key", refused)
	}
	g := newFailedKeys(1, now)
	one := netip.MustParseAddr("192.0.2.1")
	if !g.allow(one, now) || g.allow(one, now) || g.allow(one, now.Add(-time.Hour)) || !g.allow(one, now.Add(time.Minute)) {
		t.Error("one in a minute is not one in a minute")
	}
}
