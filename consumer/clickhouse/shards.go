package clickhouse

import (
	"encoding/hex"
	"fmt"
	"sluice/consumer/rows"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"
)

// shards are how rows are spread over a cluster: each event has one shard, by a hash of project and event_id.
type shards struct {
	weights []uint64
	total   uint64
}

func newShards(weights []uint64) (*shards, error) {
	s := &shards{weights: weights}
	for _, w := range weights {
		s.total += w
	}
	if s.total == 0 {
		return nil, UnfitError("the cluster has no shard with a weight")
	}
	return s, nil
}

// of is an event's shard, from 0. It is the one that ClickHouse finds for a Distributed table with shardKey.
func (s *shards) of(project []byte, id uuid.UUID) int {
	var text [36]byte
	var hash xxhash.Digest
	hash.Reset()
	_, _ = hash.Write(project)
	_, _ = hash.Write(appendUUID(text[:0], id))
	slot := hash.Sum64() % s.total
	for n, weight := range s.weights {
		if slot < weight {
			return n
		}
		slot -= weight
	}
	return 0 // not reached: slot is below the sum
}

// appendUUID writes an id the way ClickHouse's toString does.
func appendUUID(to []byte, id uuid.UUID) []byte {
	from := 0
	for _, end := range [...]int{4, 6, 8, 10, 16} {
		if from > 0 {
			to = append(to, '-')
		}
		to = hex.AppendEncode(to, id[from:end])
		from = end
	}
	return to
}

// split lists the rows of each shard, ascending.
func (s *shards) split(b *rows.Block) [][]int32 {
	out := make([][]int32, len(s.weights))
	ids := b.EventIDs()
	for row, project := range b.Projects() {
		n := s.of(project, ids[row])
		out[n] = append(out[n], int32(row)) //nolint:gosec // rows of one block
	}
	return out
}

// token names a shard's part of a block. The weights are in it: with others the same shard gets other rows, and under a token that it knows it
// would drop them.
func (s *shards) token(block string, shard int) string {
	if block == "" {
		return ""
	}
	return fmt.Sprintf("%s/shard-%d-of-%d-%016x", block, shard+1, len(s.weights), xxhash.Sum64String(fmt.Sprint(s.weights)))
}
