package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestRecordedRangesLost: while blocks are on their way to ClickHouse their consumer dies, and what it had recorded is
// lost: somebody deletes the group, or sets its offsets, or something else commits other metadata. The next owners do
// not know the blocks. They wait until nothing can be on its way any more.
func TestRecordedRangesLost(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(h *handover){
		"group deleted":  func(h *handover) { h.deleteGroup() },
		"offsets set":    func(h *handover) { h.overwrite("") },
		"other metadata": func(h *handover) { h.overwrite("of another program") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHandover(t, ways["shared"])
			h.between = func() { lose(h) }
			h.begin()
			h.gate.close()
			h.produce(h.w.each)
			h.eventually("inserts on their way", func() bool { h.some(); return h.gate.held.Load() > 0 })
			h.handOver(true, amongOthers, 0)
		})
	}
}

// deleteGroup deletes the group, which has no member, and its offsets.
func (p *pipeline) deleteGroup() {
	p.t.Helper()
	client := p.other()
	p.eventually("the group deleted", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		req := kmsg.NewPtrDeleteGroupsRequest()
		req.Groups = []string{p.name}
		resp, err := req.RequestWith(ctx, client)
		return err == nil && resp.Groups[0].ErrorCode == 0
	})
}

// overwrite commits the offsets that the group has with other metadata.
func (p *pipeline) overwrite(metadata string) {
	p.t.Helper()
	p.eventually("the offsets overwritten", func() bool {
		var all []kafka.OffsetCommit
		for partition, head := range p.heads(p.t.Context()) {
			all = append(all, kafka.OffsetCommit{Partition: partition, Offset: head, Metadata: metadata})
		}
		resp, err := p.client().OffsetCommit(p.t.Context(), &kafka.OffsetCommitRequest{
			GroupID: p.name, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{p.name: all},
		})
		return err == nil && resp.Topics[p.name][0].Error == nil
	})
}
