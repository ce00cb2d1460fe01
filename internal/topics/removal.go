package topics

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// removal is Kafka's estimate of what a shorter retention removes. Kafka removes whole segments, so it may remove less
// at first.
type removal struct {
	happens        bool
	records, of    int64 // of all partitions together; of is the topic's total
	bytes          int64 // of one copy; -1: unknown
	unknown        error // why the numbers are unknown
	cutoff         time.Time
	byTime, bySize bool
}

func (r removal) String() string {
	if r.unknown != nil {
		return fmt.Sprintf("the number is unknown (%v)", r.unknown)
	}
	size := "of unknown size"
	if r.bytes >= 0 {
		size = "about " + megabytes(r.bytes) + " in each copy"
	}
	var why []string
	if r.byTime {
		why = append(why, "older than "+r.cutoff.UTC().Format("2006-01-02 15:04")+" UTC")
	}
	if r.bySize {
		why = append(why, "above the size limit")
	}
	return fmt.Sprintf("about %d of %d records, %s, %s", r.records, r.of, size, strings.Join(why, " or "))
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// forever stands for no limit, in ms or bytes.
const forever = int64(1) << 62

// bounds returns the topic's retention in ms, and in bytes of a partition.
func (s state) bounds() (ms, bytes int64) {
	bound := func(key string) int64 {
		if n, ok := s.number(key); ok && n >= 0 {
			return n
		}
		return forever
	}
	if policy, ok := s.configs[keyCleanup]; ok && !strings.Contains(policy, "delete") {
		return forever, forever
	}
	return bound(keyRetention), bound(keyRetentionBytes)
}

// keepsLessThan reports whether s removes records that before keeps.
func (s state) keepsLessThan(before state) bool {
	ms, bytes := s.bounds()
	msBefore, bytesBefore := before.bounds()
	return ms < msBefore || bytes < bytesBefore
}

// estimate asks Kafka which records are older than the new retention time or exceed the new retention size.
func (a *Admin) estimate(ctx context.Context, topic string, before, next state) removal {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	ms, bytes := next.bounds()
	msBefore, bytesBefore := before.bounds()
	r := removal{happens: true, byTime: ms < msBefore, bySize: bytes < bytesBefore, bytes: -1}
	r.cutoff = time.Now().Add(-time.Duration(min(ms, int64(100*365*24*time.Hour/time.Millisecond))) * time.Millisecond)
	offsets, err := a.offsets(ctx, topic, before.partitions, r.cutoff)
	if err != nil {
		r.unknown = err
		return r
	}
	sizes, err := a.sizes(ctx, topic, before.partitions)
	if err != nil && r.bySize {
		r.unknown = err
		return r
	}
	if err == nil {
		r.bytes = 0
	}
	for id, o := range offsets {
		count := max(0, o.end-o.first)
		gone := int64(0)
		if r.byTime {
			gone = o.older()
		}
		if over := sizes[id] - bytes; r.bySize && over > 0 {
			gone = max(gone, count*over/max(1, sizes[id]))
		}
		r.records += gone
		r.of += count
		if r.bytes >= 0 && count > 0 {
			r.bytes += int64(float64(sizes[id]) * float64(gone) / float64(count))
		}
	}
	return r
}

// extent holds three offsets of a partition: the first, the first one at or after a time (-1: none), and the one after
// the last.
type extent struct{ first, cut, end int64 }

// older returns the number of records older than the time.
func (e extent) older() int64 {
	if e.cut < 0 {
		return max(0, e.end-e.first)
	}
	return max(0, e.cut-e.first)
}

// offsets asks for the extents of all partitions.
func (a *Admin) offsets(ctx context.Context, topic string, partitions []kafka.Partition,
	at time.Time) (map[int]extent, error) {
	// Each time needs a request of its own: kafka-go keys the answers by partition and drops the time.
	ask := func(request func(int) kafka.OffsetRequest) ([]kafka.PartitionOffsets, error) {
		requests := make([]kafka.OffsetRequest, 0, len(partitions))
		for _, p := range partitions {
			requests = append(requests, request(p.ID))
		}
		resp, err := a.client.ListOffsets(ctx,
			&kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: requests}})
		if err != nil {
			return nil, fmt.Errorf("ask for offsets: %w", err)
		}
		for _, p := range resp.Topics[topic] {
			if p.Error != nil {
				return nil, fmt.Errorf("ask for the offsets of partition %d: %w", p.Partition, p.Error)
			}
		}
		return resp.Topics[topic], nil
	}
	out := map[int]extent{}
	first, err := ask(kafka.FirstOffsetOf)
	if err != nil {
		return nil, err
	}
	for _, p := range first {
		out[p.Partition] = extent{first: p.FirstOffset}
	}
	last, err := ask(kafka.LastOffsetOf)
	if err != nil {
		return nil, err
	}
	for _, p := range last {
		e := out[p.Partition]
		e.end = p.LastOffset
		out[p.Partition] = e
	}
	cut, err := ask(func(id int) kafka.OffsetRequest { return kafka.TimeOffsetOf(id, at) })
	if err != nil {
		return nil, err
	}
	for _, p := range cut {
		e := out[p.Partition]
		e.cut = -1
		for offset := range p.Offsets {
			e.cut = offset
		}
		out[p.Partition] = e
	}
	return out, nil
}

// sizes returns the bytes of each partition's log, in one copy.
func (a *Admin) sizes(ctx context.Context, topic string, partitions []kafka.Partition) (map[int]int64, error) {
	leaders := map[int32][]int32{}
	for _, p := range partitions {
		leader := int32(p.Leader.ID)
		leaders[leader] = append(leaders[leader], int32(p.ID))
	}
	out := map[int]int64{}
	for broker, ids := range leaders {
		m, err := a.client.Transport.RoundTrip(ctx, a.client.Addr, &logDirsRequest{
			broker: broker, Topics: []logDirsTopic{{Topic: topic, Partitions: ids}},
		})
		if err != nil {
			return nil, fmt.Errorf("ask for the sizes: %w", err)
		}
		for _, dir := range m.(*logDirsResponse).Dirs {
			if dir.ErrorCode != 0 {
				return nil, fmt.Errorf("ask for the sizes: %w", kafka.Error(dir.ErrorCode))
			}
			for _, t := range dir.Topics {
				for _, p := range t.Partitions {
					out[int(p.Partition)] += p.Size
				}
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("ask for the sizes: Kafka's answer has no sizes")
	}
	return out, nil
}
