package load

import (
	"encoding/binary"
	"math/bits"
	"time"

	"github.com/google/uuid"
)

// identity builds the ids of a run, and finds the index of an id without a table.
//
// The last 62 free bits of a UUID hold the index after a keyed permutation, so ids look as random as a real client's.
// To find the index, identity inverts the permutation of an id from ClickHouse. It accepts the index only if that index
// builds the same 16 bytes.
type identity struct {
	key  uint64
	base int64 // Unix milliseconds: no id or timestamp of the run is later
}

// spread is how far before the start of the run events are dated. Some cross an hour's boundary, and none is refused as
// too old.
const spread = 10 * time.Minute

// idBits is the number of free bits in the second half of a UUID, after the two bits of the variant.
const idBits = 62

const idMask = 1<<idBits - 1

// These odd constants permute the integers below 2^62. Their inverses undo the permutation.
const (
	mulA = 0x9e3779b97f4a7c15
	mulB = 0xbf58476d1ce4e5b9
)

var invA, invB = inverse(mulA), inverse(mulB)

// newIdentity derives the key from the start as well as the seed, so that a repeated seed does not repeat ids.
func newIdentity(seed uint64, start time.Time) identity {
	base := start.UnixMilli()
	return identity{key: mix(seed ^ mix(uint64(base))), base: base}
}

// rand returns the random sequence of one event.
func (d identity) rand(index int64) prng { return prng(d.key ^ mix(uint64(index)+1)) }

// version returns 7 for an event with a UUIDv7, which carries its time, and 4 for one with a UUIDv4, which needs a
// timestamp that resends repeat. One in eight is 4.
func (d identity) version(index int64) byte {
	if mix(d.key+uint64(index))%8 == 0 {
		return 4
	}
	return 7
}

// millis returns the time in the event's UUIDv7 or timestamp, in Unix milliseconds.
func (d identity) millis(index int64) int64 {
	return d.base - int64(mix(d.key^^uint64(index))%uint64(spread.Milliseconds()))
}

// id returns the id of an event.
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

// index returns the index of the event with this id. ok is false if no event of the run can have the id.
func (d identity) index(id uuid.UUID) (index int64, ok bool) {
	hidden := binary.BigEndian.Uint64(id[8:])
	if hidden>>idBits != 0b10 {
		return 0, false
	}
	index = int64(d.reveal(hidden & idMask))
	return index, index >= 0 && d.id(index) == id
}

// hide permutes x. It mixes in the key twice. After mixing it in once, the permutations of two runs would differ only
// by an exclusive or, and an id of one run could look like an id of the other.
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
	x ^= x >> 31 // its own inverse, because 31 is half of 62
	x = x * invA & idMask
	return (x ^ d.key) & idMask
}

// inverse returns the inverse of an odd number modulo 2^64, by Newton's iteration. Each step doubles the number of
// correct bits.
func inverse(odd uint64) uint64 {
	x := odd
	for range 6 {
		x *= 2 - odd*x
	}
	return x
}

// prng is SplitMix64. Seeding costs nothing, so each event has its own, and its quality is enough for contents.
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
