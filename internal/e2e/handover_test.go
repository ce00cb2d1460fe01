package e2e

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// handover is a consumer of all partitions behind a gate and a front. It leaves something on its way to ClickHouse, to
// the broker, or to both, when others take its partitions over.
type handover struct {
	*pipeline

	w        way
	gate     *gate
	front    *front
	first    *program
	member   string     // the first consumer's id in the group
	others   []*program // that are in the group beside it, or take over when it has left
	produced int
	between  func() // called while the group has no member; nil: nothing
}

// moment is when what was on its way to ClickHouse arrives.
type moment int

const (
	beforeOthers moment = iota // before the next owners begin
	amongOthers                // while they look, and insert
	afterOthers                // when they have inserted everything
)

func (m moment) String() string {
	return []string{"before the others", "among the others", "after the others"}[m]
}

// momentOf begins with the last one, which is the hardest to survive.
func momentOf(round int) moment { return moment((round + 2) % 3) }

// handovers is how many rounds a test of them has.
func handovers() int { return max(1, *kills/2) }

func newHandover(t *testing.T, w way) *handover {
	t.Helper()
	return &handover{pipeline: newPipelineThatKills(t, w.partitions), w: w}
}

// begin starts the first consumer, whose partitions are all in one block, and waits until it has inserted something.
func (h *handover) begin() {
	h.t.Helper()
	t := h.t.(*testing.T)
	h.gate, h.front = newGate(t, engineOfKillers(t).TCPAddr()), newFront(t, lab.brokers)
	behind := *h.pipeline
	behind.brokers = h.front.addr()
	h.first = behind.consumerThat("never:0",
		append([]string{"--clickhouse-dsn", "clickhouse://" + h.gate.addr() + "/" + h.name}, sharedByAll...)...)
	h.first.says(`msg="partitions assigned".*partitions="?\[` + allOf(h.w.partitions))
	h.member, h.others = h.memberIDs()[0], nil
	h.produce(h.w.each / 2)
	h.exactly(h.produced)
}

// join has two others join the group, so that they take over at the same moment.
func (h *handover) join(variant int) {
	h.t.Helper()
	h.others = []*program{
		h.consumerThat("never:0", h.w.variant(variant)...), h.consumerThat("never:0", h.w.variant(variant+1)...),
	}
	for _, c := range h.others {
		c.says(`msg="partitions assigned"`)
	}
	h.first.says(`msg="partitions assigned".*partitions="?\[\d \d( \d)?\]`)
	h.produce(h.w.each / 4)
	h.exactly(h.produced)
}

func (h *handover) produce(each int) { h.produced += h.everywhere(h.w, each) }

// some puts an event on a partition.
func (h *handover) some() {
	h.events(rand.IntN(h.w.partitions), 1)
	h.produced++
}

// handOver kills or stops the first consumer, and has two others take over. They share blocks in other ways.
func (h *handover) handOver(kill bool, arrives moment, variant int) {
	h.t.Helper()
	if kill {
		h.first.kill()
		h.sums.kills++
	} else {
		require.NoError(h.t, h.first.cmd.Process.Signal(syscall.SIGSTOP))
		h.eventually("the consumer stopped", func() bool { return h.first.stopped() })
	}
	open := h.openBlocks()
	if h.others != nil {
		h.evict(h.member)
	} else {
		h.evict()
	}
	if h.between != nil {
		h.between()
	}
	if arrives == beforeOthers {
		h.gate.open()
		h.arrived()
	}
	if h.others == nil {
		h.others = []*program{
			h.consumerThat("never:0", h.w.variant(variant)...), h.consumerThat("never:0", h.w.variant(variant+1)...),
		}
	}
	for _, c := range h.others {
		c.says(`msg="partitions assigned"`)
	}
	if arrives == amongOthers {
		h.some()
		if h.between != nil {
			h.rest(unrecorded / 3) // they would have inserted something by now
		}
		h.gate.open()
	}
	h.produce(h.w.each / 2)
	h.exactly(h.produced)
	h.gate.open()
	h.arrived()
	if !kill {
		h.first.wakes()
		h.produce(h.w.each / 2)
	}
	h.exactly(h.produced)
	h.progress("%s: %d shared blocks open, %d inserts on their way; commits: %d torn, %d late; %d records",
		arrives, open, h.gate.held.Load(), h.front.torn.Load(), h.front.late.Load(), h.produced)
	for _, c := range append(h.others, h.first) {
		c.kill()
	}
	h.evict()
}

// arrived waits until ClickHouse has worked off what the gate kept.
func (h *handover) arrived() {
	h.t.Helper()
	h.eventually("what was on its way there", func() bool { return h.gate.arrived.Load() >= h.gate.held.Load() })
	h.eventually("no insert under way", func() bool {
		return h.tryScalar("SELECT 1 + count() FROM system.processes WHERE current_database = '"+h.name+
			"' AND query_kind = 'Insert'") == 1
	})
}

// stopped says whether a signal stopped the program.
func (p *program) stopped() bool {
	out, err := exec.Command("ps", "-o", "stat=", "-p", fmt.Sprint(p.cmd.Process.Pid)).Output()
	return err == nil && strings.HasPrefix(string(out), "T")
}

// wakes lets a stopped consumer go on, and waits until it has noticed that the group went on without it.
func (p *program) wakes() {
	p.t.Helper()
	before := p.said()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGCONT))
	p.saysAfter(before, `msg="(another consumer has taken the partition over|`+
		`the group has gone on without this consumer.*|partitions assigned)"`)
}

// TestTwoOwners: shared blocks are on their way to ClickHouse when their consumer dies, or stops for longer than the
// group waits for it while a commit is on its way to the broker as well. Two others take its partitions over at the
// same moment, each a part of every block. The late inserts arrive before they begin, while they work, or after they
// are done.
func TestTwoOwners(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]bool{"killed": true, "stopped": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHandover(t, ways["shared"])
			for round := range handovers() {
				h.begin()
				h.join(round / 3)
				h.gate.close()
				h.produce(h.w.each)
				h.eventually("inserts on their way", func() bool { h.some(); return h.gate.held.Load() > 0 })
				if !kill {
					h.front.rule(func(*kmsg.OffsetCommitRequest) fate { return fate{cut: true, late: commitDelay()} })
					h.eventually("a commit on its way", func() bool { h.some(); return h.front.late.Load() > 0 })
				}
				h.handOver(kill, momentOf(round), round/3)
			}
		})
	}
}
