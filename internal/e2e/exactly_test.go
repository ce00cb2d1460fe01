package e2e

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/consumer/delivery"
)

var progress = flag.Bool("progress", false,
	"print how far the scenarios are that count every record, and their sums; -v does as well")

// sums are what a scenario that counts every record comes to.
type sums struct {
	life    int // how often the topic was created anew
	kills   int // of consumers
	records int // that Kafka acknowledged
	rows    uint64
	offsets uint64 // distinct ones
}

// results are those of all scenarios that have ended well.
var results struct {
	mu  sync.Mutex
	all map[string]sums
}

// note keeps the scenario's sums for the end of the run.
func (p *pipeline) note() {
	if p.t.Failed() || p.sums.records == 0 {
		return
	}
	results.mu.Lock()
	defer results.mu.Unlock()
	if results.all == nil {
		results.all = map[string]sums{}
	}
	results.all[p.t.Name()] = p.sums
}

// printSums prints the sums of all scenarios, and their sum as the last line.
func printSums() {
	results.mu.Lock()
	defer results.mu.Unlock()
	if len(results.all) == 0 || !*progress && !testing.Verbose() {
		return
	}
	var names []string
	width := 0
	for name := range results.all {
		names = append(names, name)
		width = max(width, len(name))
	}
	slices.Sort(names)
	const line = "%-*s  %5v %9v %9v %9v\n"
	fmt.Printf("\n"+line, width, "scenario", "kills", "records", "rows", "offsets")
	var all sums
	for _, name := range names {
		one := results.all[name]
		fmt.Printf(line, width, name, one.kills, one.records, one.rows, one.offsets)
		all.kills, all.records = all.kills+one.kills, all.records+one.records
		all.rows, all.offsets = all.rows+one.rows, all.offsets+one.offsets
	}
	broker := "the embedded broker"
	if lab.apache {
		broker = "Apache Kafka"
	}
	fmt.Printf("%d scenarios on %s, %d kills: %d records acknowledged, %d rows, %d distinct offsets\n",
		len(names), broker, all.kills, all.records, all.rows, all.offsets)
}

// progress says how far a scenario is.
func (p *pipeline) progress(format string, args ...any) {
	if *progress || testing.Verbose() {
		fmt.Printf("%s  %s: %s\n", time.Now().UTC().Format(time.TimeOnly), p.t.Name(), fmt.Sprintf(format, args...))
	}
}

// allOf is what the log says about the first partitions of a topic.
func allOf(partitions int) string {
	var ids []string
	for id := range partitions {
		ids = append(ids, strconv.Itoa(id))
	}
	return strings.Join(ids, " ")
}

// lastOf is what ends the list of a topic's partitions.
func lastOf(partitions int) string { return strconv.Itoa(partitions-1) + `\]` }

// recorded are the ranges that the group's metadata has, by partition.
func (p *pipeline) recorded() map[int][]delivery.Range {
	p.t.Helper()
	var ids []int
	for id := range p.ends(p.name) {
		ids = append(ids, id)
	}
	out := map[int][]delivery.Range{}
	p.eventually("the recorded ranges", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		resp, err := p.client().OffsetFetch(ctx, &kafka.OffsetFetchRequest{
			GroupID: p.name, Topics: map[string][]int{p.name: ids},
		})
		if err != nil || resp.Error != nil {
			return false
		}
		for _, part := range resp.Topics[p.name] {
			out[part.Partition], _, _ = delivery.DecodeMetadata(part.CommittedOffset, part.Metadata)
		}
		return true
	})
	return out
}

// openBlocks is how many shared blocks are recorded and not known to be in.
func (p *pipeline) openBlocks() int {
	p.t.Helper()
	ids := map[uint64]bool{}
	for _, ranges := range p.recorded() {
		for _, one := range ranges {
			if one.Shared != 0 {
				ids[one.Shared] = true
			}
		}
	}
	return len(ids)
}

// evict takes members out of the group, as the end of their sessions does: all of them if none is named. Those that
// live join again.
func (p *pipeline) evict(members ...string) {
	p.t.Helper()
	client := p.other()
	p.eventually("the group without its members", func() bool {
		gone := members
		if len(gone) == 0 {
			if gone = p.memberIDs(); len(gone) == 0 {
				return true
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Group = p.name
		for _, id := range gone {
			one := kmsg.NewLeaveGroupRequestMember()
			one.MemberID = id
			leave.Members = append(leave.Members, one)
		}
		left, err := leave.RequestWith(ctx, client)
		return err == nil && left.ErrorCode == 0
	})
}

// memberIDs are those of the group.
func (p *pipeline) memberIDs() (ids []string) {
	p.t.Helper()
	client := p.other()
	p.eventually("the members of the group", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Groups = []string{p.name}
		resp, err := req.RequestWith(ctx, client)
		if err != nil || resp.Groups[0].ErrorCode != 0 {
			return false
		}
		ids = nil
		for _, m := range resp.Groups[0].Members {
			ids = append(ids, m.MemberID)
		}
		return true
	})
	return ids
}
