package clickhouse

import (
	"encoding/hex"
	"fmt"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"

	"sluice/consumer/rows"
)

// ShardKey is the sharding key of the Distributed table. [sharding.of] computes the same hash, so that a resend meets
// its first copy, and so that ClickHouse asks one shard only for one event.
const ShardKey = "xxHash64(concat(project_id, toString(event_id)))"

// OutcomesShardKey is the sharding key of the Distributed table of counts: [sharding.of] without a project.
const OutcomesShardKey = "xxHash64(toString(source))"

// sharding distributes rows over the shards of a cluster, by weight. Each event has one shard, by a hash of its project
// and its id.
type sharding struct {
	weights []uint64
	total   uint64
}

func newSharding(weights []uint64) (*sharding, error) {
	s := &sharding{weights: weights}
	for _, w := range weights {
		s.total += w
	}
	if s.total == 0 {
		return nil, UnsuitableError("the cluster has no shard with a weight")
	}
	return s, nil
}

// of returns an event's shard, from 0. ClickHouse finds the same shard for a Distributed table with ShardKey.
func (s *sharding) of(project []byte, id uuid.UUID) int {
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
	return 0 // not reached: slot is below the sum of the weights
}

// appendUUID writes an id as ClickHouse's toString does.
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
func (s *sharding) split(b *rows.Block) [][]int32 {
	out := make([][]int32, len(s.weights))
	ids := b.EventIDs()
	for row, project := range b.Projects() {
		n := s.of(project, ids[row])
		out[n] = append(out[n], int32(row)) // rows of one block
	}
	return out
}

// piece is the rows of a block that belong on one shard, ascending.
type piece struct {
	of   *rows.Block
	rows []int32
}

// pieces lists the pieces of each shard.
func (s *sharding) pieces(blocks []*rows.Block) [][]piece {
	out := make([][]piece, len(s.weights))
	for _, b := range blocks {
		for n, picked := range s.split(b) {
			if len(picked) > 0 {
				out[n] = append(out[n], piece{b, picked})
			}
		}
	}
	return out
}

// blocksOf makes a block of each piece.
func blocksOf(pieces []piece) (out []*rows.Block) {
	for _, p := range pieces {
		b := p.of
		if len(p.rows) < b.Rows() {
			b = b.Pick(p.rows)
		}
		out = append(out, b)
	}
	return out
}

// token names a shard's part of a block. It contains the weights: with other weights the shard gets other rows, and
// would drop them under a token that it knows.
func (s *sharding) token(block string, shard int) string {
	if block == "" {
		return ""
	}
	weights := xxhash.Sum64String(fmt.Sprint(s.weights))
	return fmt.Sprintf("%s/shard-%d-of-%d-%016x", block, shard+1, len(s.weights), weights)
}
