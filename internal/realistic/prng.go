package realistic

import (
	"math"
	"math/bits"
)

// prng is SplitMix64. Seeding costs nothing, so each session and each event has its own.
type prng uint64

func (p *prng) next() uint64 {
	*p += 0x9e3779b97f4a7c15
	return mix(uint64(*p))
}

// below returns a number in [0, n).
func (p *prng) below(n int) int {
	hi, _ := bits.Mul64(p.next(), uint64(n))
	return int(hi)
}

// unit returns a number in [0, 1).
func (p *prng) unit() float64 { return float64(p.next()>>11) / (1 << 53) }

func (p *prng) chance(share float64) bool { return p.unit() < share }

// tail returns a factor around 1 with a long tail: half of them lie below 1, one in a hundred above 6.
func (p *prng) tail() float64 {
	sum := p.unit() + p.unit() + p.unit() + p.unit() - 2 // nearly normal, deviation 0.58
	return math.Exp(sum * 1.35)
}

func of[T any](p *prng, list []T) T { return list[p.below(len(list))] }

// mix is SplitMix64's finaliser.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
