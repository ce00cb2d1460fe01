package step

import (
	"math"

	"github.com/cespare/xxhash/v2"
)

// sampling keeps a share of the events, chosen by a hash (XXH64) of the event's id: the same event has the same fate however
// often it comes, and by whatever consumer.
func sampling(share float64) Step {
	most := uint64(math.MaxUint64)
	if share < 1 {
		most = uint64(share * float64(1<<63) * 2)
	}
	return Step{Name: "sample", Apply: func(in *Input) bool { return xxhash.Sum64(in.EventID[:]) < most }}
}
