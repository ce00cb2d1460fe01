package clickhouse

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"

	"github.com/google/uuid"
)

// The hash is the one that ClickHouse computes of ShardKey, for any project and any id.
func TestShardHash(t *testing.T) {
	d := clickhousetest.NewShard(t)
	const n = 5000
	rnd := rand.New(rand.NewPCG(1, 2)) // a test's
	var records []rowstest.Record
	for i := range int64(n) {
		id := uuid.UUID{}
		for at := range id {
			id[at] = byte(rnd.Uint32())
		}
		project := make([]byte, 1+rnd.IntN(64))
		for at := range project {
			project[at] = "abcdefghijklmnopqrstuvwxyz0123456789_-"[rnd.IntN(38)]
		}
		records = append(records, rowstest.From(i, string(project), id, rowstest.Noon, `{"message":"m"}`))
	}
	b := rowstest.Block(t, records...)
	if err := local(t, reach(d.Native())).Insert(t.Context(), "", b); err != nil {
		t.Fatal(err)
	}
	for _, weights := range [][]uint64{{1}, {1, 1}, {3, 0, 1}, {1, 2, 3, 4, 5}} {
		s, err := newSharding(weights)
		if err != nil {
			t.Fatal(err)
		}
		var slots, shards []string
		for shard, weight := range weights {
			for range weight {
				slots, shards = append(slots, fmt.Sprint(len(slots))), append(shards, fmt.Sprint(shard))
			}
		}
		want := strings.Split(d.Ask(fmt.Sprintf("SELECT transform(%s %% %d, [%s], [%s], 99) FROM events_local ORDER BY _offset",
			ShardKey, s.total, strings.Join(slots, ","), strings.Join(shards, ","))), "\n")
		got := make([]string, n)
		for shard, rows := range s.split(b) {
			for _, row := range rows {
				got[row] = fmt.Sprint(shard)
			}
			if !slices.IsSorted(rows) {
				t.Errorf("weights %v: rows out of order", weights)
			}
		}
		if len(want) != n || !slices.Equal(got, want) {
			t.Errorf("weights %v: the shards are not those that ClickHouse finds", weights)
		}
	}
}

func TestShardsWithoutWeight(t *testing.T) {
	for _, weights := range [][]uint64{nil, {0}, {0, 0}} {
		if _, err := newSharding(weights); err == nil {
			t.Errorf("no error for %v", weights)
		}
	}
}

// A token contains the shard and all weights: rows that go elsewhere have another token.
func TestShardTokens(t *testing.T) {
	seen := map[string]string{}
	for _, weights := range [][]uint64{{1, 1}, {1, 2}, {2, 1}, {1, 1, 1}, {1, 11}, {11, 1}} {
		s, err := newSharding(weights)
		if err != nil {
			t.Fatal(err)
		}
		for shard := range weights {
			token := s.token("base", shard)
			if of, twice := seen[token]; twice || token != s.token("base", shard) || !strings.HasPrefix(token, "base/") {
				t.Errorf("%s of %v is that of %s too", token, weights, of)
			}
			seen[token] = fmt.Sprint(weights)
		}
		if s.token("", 0) != "" {
			t.Error("a token is made of none")
		}
	}
}
