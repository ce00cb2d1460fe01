package e2e

import (
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPartitionsAdded: the topic gets more partitions while shared blocks are recorded and on their way. The group
// shares out all partitions anew then, and a consumer forms other blocks. One of the consumers dies in one of two
// rounds.
func TestPartitionsAdded(t *testing.T) {
	t.Parallel()
	w := ways["shared"]
	p := newPipelineThatKills(t, w.partitions)
	produced := 0
	for round := range max(2, min(*kills/2, 20)) {
		g := newGate(t, engineOfKillers(t).TCPAddr())
		behind := append([]string{"--clickhouse-dsn", "clickhouse://" + g.addr() + "/" + p.name}, w.variant(round)...)
		one, two := p.consumerThat("never:0", behind...), p.consumerThat("never:0", w.variant(round+1)...)
		two.says(`msg="partitions assigned"`)
		one.says(`msg="partitions assigned".*partitions="?\[\d+( \d+)+\]`)
		g.close()
		produced += p.everywhere(w, w.each)
		p.eventually("inserts on their way", func() bool {
			p.events(rand.IntN(w.partitions), 1)
			produced++
			return g.held.Load() > 0
		})
		open := p.openBlocks()
		w.partitions += 3
		assigned := regexp.MustCompile(`msg="partitions assigned".*partitions="?\[.*\b` + lastOf(w.partitions))
		p.addPartitions(p.name, int32(w.partitions))
		produced += p.everywhere(w, w.each)
		if round%2 == 0 {
			one.kill()
			p.sums.kills++
			p.evict()
		}
		p.eventually("all partitions assigned", func() bool { return assigned.MatchString(one.output() + two.output()) })
		produced += p.everywhere(w, w.each/2)
		g.open()
		p.exactly(produced)
		p.progress("round %d: %d partitions, %d shared blocks open, %d inserts on their way, %d records",
			round+1, w.partitions, open, g.held.Load(), produced)
		for _, c := range []*program{one, two} {
			if c != one || round%2 > 0 {
				require.Zero(t, c.term())
			}
		}
	}
}
