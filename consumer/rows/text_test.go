package rows

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ClickHouse/ch-go/proto"
)

// A column is sent as its strings, whichever of them are empty, and however often it is read in between.
func TestTextColumn(t *testing.T) {
	wire := func(texts []string) (out []byte) {
		for _, v := range texts {
			out = append(binary.AppendUvarint(out, uint64(len(v))), v...)
		}
		return out
	}
	encoded := func(c *textColumn) []byte {
		var b proto.Buffer
		c.EncodeColumn(&b)
		return b.Buf
	}
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1)) // repeatable
		var c textColumn
		var texts []string
		for round := range 3 {
			for range rnd.IntN(20) {
				v := strings.Repeat("x", rnd.IntN(200)*rnd.IntN(2)*rnd.IntN(2))
				texts = append(texts, v)
				if rnd.IntN(4) == 0 {
					c.appendString(v)
				} else {
					c.append([]byte(v))
				}
			}
			if c.Rows() != len(texts) || c.size() != len(wire(texts)) || c.isEmpty() != (strings.Join(texts, "") == "") {
				t.Fatalf("seed %d: %d rows, %d bytes, empty: %t", seed, c.Rows(), c.size(), c.isEmpty())
			}
			var several sync.WaitGroup
			for shard := range 2 { // at the same time
				several.Go(func() {
					var rows []int32
					var want []string
					for i := range texts {
						if i%2 == shard {
							rows, want = append(rows, int32(i)), append(want, texts[i]) // few
						}
						if string(c.row(i)) != texts[i] {
							t.Errorf("seed %d: row %d", seed, i)
						}
					}
					var picked textColumn
					picked.pick(&c, rows)
					if !slices.Equal(encoded(&picked), wire(want)) {
						t.Errorf("seed %d: picked %v", seed, rows)
					}
				})
			}
			several.Wait()
			if round == 1 && !slices.Equal(encoded(&c), wire(texts)) {
				t.Fatalf("seed %d: not what it should be", seed)
			}
		}
		if !slices.Equal(encoded(&c), wire(texts)) {
			t.Fatalf("seed %d: not what it should be", seed)
		}
		if c.Reset(); c.Rows() != 0 || len(encoded(&c)) != 0 {
			t.Fatal("not empty after a reset")
		}
	}
}
