package load

import (
	"encoding/binary"
	"math/bits"
	"time"

	"github.com/google/uuid"
)

// identity makes the ids of a run and finds the index of an id again without a table of them.
//
// The last 62 free bits of a UUID carry the index, sent through a keyed permutation so that ids look as random as a real
// client's. An id found in ClickHouse is taken back through the permutation to a candidate index, and is believed only if
// that index makes the very same 16 bytes.
type identity struct {
	key  uint64
	base int64 // Unix milliseconds: the latest time any id or timestamp of the run names
}

// spread is how far back from the start of the run events are dated: enough to cross hours now and then, never enough to be
// refused as too old.
const spread = 10 * time.Minute

// idBits is what a UUID leaves free in its second half, after the two bits of the variant.
const idBits = 62

const idMask = 1<<idBits - 1

// Odd constants permute the integers below 2^62; their inverses undo it.
const (
	mulA = 0x9e3779b97f4a7c15
	mulB = 0xbf58476d1ce4e5b9
)

var invA, invB = inverse(mulA), inverse(mulB)

// newIdentity depends on the start as well as on the seed: a repeated seed must not repeat ids.
func newIdentity(seed uint64, start time.Time) identity {
	base := start.UnixMilli()
	return identity{key: mix(seed ^ mix(uint64(base))), base: base}
}

// rand starts the random sequence of one event.
func (d identity) rand(index int64) prng { return prng(d.key ^ mix(uint64(index)+1)) }

// version says whether an event has a UUIDv7, whose time is its identity's time, or a UUIDv4, whose event needs a timestamp
// that a resend repeats. One in eight is a v4.
func (d identity) version(index int64) byte {
	if mix(d.key+uint64(index))%8 == 0 {
		return 4
	}
	return 7
}

// millis is the time that the event names, in its UUIDv7 or its timestamp, in Unix milliseconds.
func (d identity) millis(index int64) int64 {
	return d.base - int64(mix(d.key^^uint64(index))%uint64(spread.Milliseconds()))
}

// id makes the id of an event.
func (d identity) id(index int64) (id uuid.UUID) {
	version := d.version(index)
	head := mix(d.key + 3*uint64(index))
	if version == 7 {
		head = uint64(d.millis(index))<<16 | head&0xffff
	}
	binary.BigEndian.PutUint64(id[:8], head)
	id[6] = id[6]&0x0f | version<<4
	binary.BigEndian.PutUint64(id[8:], 1<<63|d.hide(uint64(index)))
	return id
}

// index finds the event with this id. ok is false for an id that no event of the run can have.
func (d identity) index(id uuid.UUID) (index int64, ok bool) {
	hidden := binary.BigEndian.Uint64(id[8:])
	if hidden>>idBits != 0b10 {
		return 0, false
	}
	index = int64(d.reveal(hidden & idMask))
	return index, index >= 0 && d.id(index) == id
}

// hide mixes the key in twice: once alone, two runs' permutations would differ by an exclusive or only, and what an index of
// one run makes of its key would be what another index of the other run makes of its own.
func (d identity) hide(x uint64) uint64 {
	x = (x ^ d.key) & idMask
	x = x * mulA & idMask
	x ^= x >> 31
	x = (x ^ mix(d.key)) & idMask
	return x * mulB & idMask
}

func (d identity) reveal(x uint64) uint64 {
	x = x * invB & idMask
	x = (x ^ mix(d.key)) & idMask
	x ^= x >> 31 // its own inverse: 31 is half of 62
	x = x * invA & idMask
	return (x ^ d.key) & idMask
}

// inverse is the inverse of an odd number modulo 2^64, by Newton's iteration: each step doubles the bits that are right.
func inverse(odd uint64) uint64 {
	x := odd
	for range 6 {
		x *= 2 - odd*x
	}
	return x
}

// prng is SplitMix64: seeded per event for nothing, and good enough for made-up contents.
type prng uint64

func (p *prng) next() uint64 {
	*p += mulA
	return mix(uint64(*p))
}

// below returns a number in [0, n).
func (p *prng) below(n int) int {
	hi, _ := bits.Mul64(p.next(), uint64(n))
	return int(hi)
}

// mix is SplitMix64's finaliser.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * mulB
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
