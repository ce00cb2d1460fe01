package e2e

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestOldAndNewVersion: consumers of the version before shared blocks and of this one are in one group, take over from
// each other, and some of them are killed. Nobody begins a shared block while an old one is in the group, and the new
// ones do again once it has left.
func TestOldAndNewVersion(t *testing.T) {
	t.Parallel()
	before := commitBefore(t, "consumer/delivery/shared.go")
	old := programsOf(t, before, "consumer")
	w := ways["shared"]
	p := newPipelineThatKills(t, w.partitions)
	start := func(version, crashpoint string) *program {
		q := *p
		if q.bin = lab.bin; version == "old" {
			q.bin = old
		}
		c := startFrom(t, q.bin, []string{"CRASHPOINT=" + crashpoint}, "consumer", append(append(q.kafka(),
			"--clickhouse-dsn", q.dsn, "--kafka-group", q.name, "--admin-addr", "127.0.0.1:0"), w.flags...)...)
		c.says(`msg="partitions assigned"`)
		return c
	}
	produced, open := 0, 0
	dies := func(c *program) {
		t.Helper()
		p.eventually("the crash", func() bool {
			select {
			case <-c.done:
				return true
			default:
				p.events(rand.IntN(w.partitions), 1)
				produced++
				return false
			}
		})
		p.sums.kills++
	}
	for round := range max(1, min(*kills/10, 10)) {
		point := points[round%len(points)]
		produced += p.everywhere(w, w.each)
		dies(start("new", fmt.Sprintf("%s:%d", point, 2+rand.IntN(w.partitions)))) // its blocks are left open
		left := p.openBlocks()
		open += left
		first := start("old", "never:0") // once the session of the dead has ended
		produced += p.everywhere(w, w.each)
		p.exactly(produced)
		assert.Zero(t, p.openBlocks())

		second := start("new", "never:0") // both are in the group
		second.says(`msg="partitions assigned".*partitions="?\[\d \d \d \d\]"?.*units=4`)
		first.says(`msg="partitions assigned".*partitions="?\[\d \d \d \d\]`)
		produced += p.everywhere(w, w.each)
		third := start("old", fmt.Sprintf("%s:%d", point, 2+rand.IntN(3)))
		dies(third)
		p.exactly(produced)

		require.Zero(t, first.term()) // the new one shares blocks again
		second.says(`msg="partitions assigned".*partitions="?\[` + allOf(w.partitions) + `\]"?.*units=[12]\b`)
		produced += p.everywhere(w, w.each)
		p.exactly(produced)
		fourth := start("old", "never:0") // a rollback: the old one joins, and the new one leaves
		produced += p.everywhere(w, w.each)
		require.Zero(t, second.term())
		produced += p.everywhere(w, w.each)
		p.exactly(produced)
		require.Zero(t, fourth.term())
		p.progress("round %d: %d shared blocks taken over by the old version, %d records", round+1, left, produced)
	}
	if *kills > 10 {
		assert.Positive(t, open)
	}
}

// commitBefore is the commit before the one that added a file.
func commitBefore(t *testing.T, file string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "-C", "../..", "log", "--diff-filter=A", "--format=%H", "--",
		file).Output()
	added := strings.Fields(string(out))
	if err != nil || len(added) == 0 {
		t.Skipf("the commit that added %s is not in this clone: git fetch --unshallow: %v", file, err)
	}
	before := added[len(added)-1] + "^"
	if err := exec.CommandContext(t.Context(), "git", "-C", "../..", "cat-file", "-e", before).Run(); err != nil {
		t.Skipf("the commit before the one that added %s is not in this clone: git fetch --unshallow: %v", file, err)
	}
	return before
}
