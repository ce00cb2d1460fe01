package consumer

import (
	"context"
	"sync"
	"time"

	"sluice/consumer/alive"
	"sluice/consumer/blocking"
	"sluice/consumer/delivery"
	"sluice/consumer/hands"
	"sluice/consumer/observed"
	"sluice/internal/backoff"
	"sluice/internal/crashpoint"
)

// unrecordedAge is how long after its assignment a partition begins if what an earlier owner had recorded is lost.
var unrecordedAge = crashpoint.Duration("unrecorded", delivery.TokenTrust+window.Life)

// run works until ctx ends, which is when the generation is over, even if the partition is lost before. It returns
// after the inserts under way are finished, or given up after the drain budget, and the recorded ranges are committed.
func (p *partition) run(ctx context.Context) {
	p.lag = p.metrics.lags.Of(p.topic, p.id)
	var unobserve func()
	p.kafka, p.offsets, unobserve = observed.Kafka(p.kafka, p.offsets, p.lag,
		p.metrics.blocked.WithLabelValues(blocking.Kafka), p.outages.kafka)
	defer unobserve()
	life, end := context.WithCancel(ctx)
	defer end()
	// Work under way outlives its partition by the drain budget, unless another member has the partition already.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(life, func() { time.AfterFunc(p.drain, cancel) })
	defer stop()

	p.channels = newChannels(p.tracer)
	if f, r, ok := p.begin(life); ok {
		r.lose = func() { cancel(); end() }
		r.inserts = hands.New(alive.Inserters, func(n int, b *batch) { p.insert(life, work, alive.Insert(n), b) })
		var recording sync.WaitGroup
		recording.Go(func() { r.run(life, work) })
		f.run(life)
		recording.Wait()
		r.inserts.Wait()
	}
	p.watch.Rest()
	// A partition that was lost keeps its place until the generation ends.
	<-ctx.Done()
}

// start is where a partition begins.
type start struct {
	head     int64
	metadata string
	end      int64 // of the topic; the head if it is unknown
	lost     int64 // offsets before the head that somebody skipped by setting the group's offset forward
	open     bool  // the end of the topic is unknown
	used     bool  // nothing is recorded, and the table has rows of the partition
}

// begin makes the fetcher and the recorder. They start at the committed offset, with the ranges that are recorded
// behind it, or at the oldest record if nothing was ever committed. begin also looks up what the table has from there
// on, because metadata can be lost, foreign or old. It returns false if ctx ended.
func (p *partition) begin(ctx context.Context) (*fetcher, *recorder, bool) {
	p.progress.assigned = time.Now()
	var blocks []uint64
	defer func() { p.blocks.Recorded(p.id, blocks) }()
	s, ok := p.findStart(ctx)
	if !ok {
		return nil, nil, false
	}
	p.progress.owned.Store(time.Now().UnixNano())
	recorded, origin, ok := delivery.DecodeMetadata(s.head, s.metadata)
	if !ok {
		p.log.Warn("cannot read the metadata of the committed offset; comparing what follows with the table first",
			"offset", s.head)
	}
	if (!ok || s.used) && !p.outwaitUnrecorded(ctx, s) {
		return nil, nil, false
	}
	seen, err := p.highest(ctx, alive.Fetch, s.head)
	if err != nil {
		return nil, nil, false
	}
	for _, one := range recorded {
		blocks = append(blocks, one.Shared)
	}
	ranges := delivery.NewRanges(s.head, recorded, origin, seen)
	ranges.SetGaps(delivery.DecodeGaps(s.head, s.metadata))
	r := newRecorder(p, ranges, s.lost)
	f := newFetcher(p, s.head, recorded, origin, seen)
	p.lag.Owns(s.head) // also if nothing was ever committed
	p.progress.committed.Store(s.head)
	p.progress.highWatermark.Store(s.end)
	p.progress.lastStable.Store(s.end)
	// A partition with a backlog waits for a turn before its first fetch. Otherwise the first fetches of all partitions
	// would hold half of the memory.
	f.noteBacklog(s.head < s.end)
	if len(recorded) > 0 {
		p.log.Info("partition replays recorded ranges", "from", s.head, "to", r.ranges.End()-1, "ranges", len(recorded))
	}
	return f, r, true
}

// findStart asks Kafka where to begin. If there is a committed offset, it does not wait for the topic's bounds: a
// leader that has just taken over, or a partition with too few replicas in sync, does not tell them, and fetching may
// work all the same.
func (p *partition) findStart(ctx context.Context) (s start, ok bool) {
	var first int64
	try := func() (err error) {
		if s.head, s.metadata, err = p.offsets.Committed(ctx, p.id); err != nil {
			return err
		}
		first, s.end, err = p.kafka.Bounds(ctx, p.id)
		if err != nil && s.head >= 0 {
			p.log.Warn("the oldest and the newest offset are unknown, starting at the committed offset",
				"offset", s.head, "err", err)
			s.end, s.open, err = s.head, true, nil
		}
		return err
	}
	if !p.untilKafkaAnswers(ctx, "cannot read the committed offset, retrying", try) {
		return s, false
	}
	if s.head < 0 {
		s.head, s.metadata = first, ""
		return p.startUncommitted(ctx, s)
	}
	if s.metadata == "" {
		return p.startSetByHand(ctx, s)
	}
	return s, true
}

// startSetByHand begins at an offset that somebody has set by hand: a consumer's offset has metadata. If it was set
// forward, the records that it skips count as lost.
func (p *partition) startSetByHand(ctx context.Context, s start) (start, bool) {
	highest, err := p.highest(ctx, alive.Fetch, 0)
	if err != nil {
		return s, false
	}
	s.used = highest >= 0
	if highest >= 0 && highest+1 < s.head {
		s.lost = s.head - highest - 1
		p.log.Error("the group's offset was set forward: the skipped offsets are not read, and count as lost",
			"from", highest+1, "to", s.head-1, "lost", s.lost)
	}
	return s, true
}

// startUncommitted begins at the oldest record, for a group that has nothing committed. If the table has records from
// before that one, the committed offset has expired: then records between them and the oldest record were removed
// before they were read.
func (p *partition) startUncommitted(ctx context.Context, s start) (start, bool) {
	highest, err := p.highest(ctx, alive.Fetch, 0)
	if err != nil {
		return s, false
	}
	s.used = highest >= 0
	if highest >= 0 && highest+1 < s.head {
		p.log.Warn("no committed offset, but the table has rows from before the oldest record; going on after them",
			"offset", highest+1, "oldest", s.head)
		s.head = highest + 1
	}
	return s, true
}

// outwaitUnrecorded waits until nothing that an earlier owner has sent can arrive any more, because that would go in
// twice: the group's offset does not say which ranges were recorded behind it. Its metadata is unreadable, or the table
// has rows of the partition and somebody set or deleted the offset. It returns false if ctx ended.
func (p *partition) outwaitUnrecorded(ctx context.Context, s start) bool {
	if !s.open && s.head >= s.end {
		return true // no record is behind the offset
	}
	from := p.progress.assigned.Add(p.unrecorded)
	p.log.Warn("what the group had recorded for the partition is lost; "+
		"it begins once no earlier insert can be under way any more", "offset", s.head, "until", from)
	return p.outwait(ctx, alive.Fetch, from)
}

// outwait waits until a time. It returns false if ctx ended.
func (p *partition) outwait(ctx context.Context, loop alive.Loop, until time.Time) bool {
	for time.Now().Before(until) {
		p.watch.Beat(loop)
		p.watch.Outside()
		if !backoff.Sleep(ctx, min(time.Second, time.Until(until))) {
			return false
		}
	}
	return true
}
