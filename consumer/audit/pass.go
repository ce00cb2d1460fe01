package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"sluice/consumer/delivery"
	"sluice/consumer/kafka"
	"sluice/consumer/retention"
	"sluice/internal/erasure"
	"sluice/internal/outcome"
)

// audit is what all partitions of one audit share.
type audit struct {
	*Auditor

	retention *retention.Policy // of the table; nil: for ever, or unknown
	erasures  *erasure.List
	drops     drops
	elsewhere map[dropKey]int64 // of drops, what was not used up yet
	letters   map[deadPlace]bool
	report    *Report
}

// pass is the audit of one partition.
type pass struct {
	*audit

	partition int
	account   Account
	place     place
	allowed   []allowance
	notFull   []span // buckets of the place
	gone      int64  // offsets below this one are not on the topic any more
	reader    *reader
	lookedUp  int64
	looks     int   // second looks
	removed   int64 // records that were removed from the topic while they were checked

	doubts struct {
		first   int64 // of the allowance
		records []Missing
	}
}

// bounds are how far a partition is, as Kafka said before anything was counted.
type bounds struct {
	partition        int
	start, head, end int64
	since            time.Time // the oldest record's, zero if unknown
	gaps             []delivery.Gap
}

// errBeyond says that the group's offset is behind the end of the topic.
var errBeyond = errors.New("the committed offset is behind the end of the topic, which was cut off or created anew; " +
	"the consumer notices that by itself, so try again")

// boundsOf reads how far a partition is. The head comes first: records that arrive later are lag. It is -1 if the group
// has committed nothing.
func (a *audit) boundsOf(ctx context.Context, partition int) (bounds, error) {
	b := bounds{partition: partition}
	head, metadata, err := a.topic.Committed(ctx, partition)
	if kafka.NoGroup(err) {
		head, err = -1, nil
	}
	if err != nil {
		return b, fmt.Errorf("partition %d: %w", partition, err)
	}
	if b.start, b.end, err = a.topic.Bounds(ctx, partition); err != nil {
		return b, fmt.Errorf("partition %d: %w", partition, err)
	}
	if head > b.end {
		return b, fmt.Errorf("partition %d: %w", partition, errBeyond)
	}
	b.head, b.gaps = head, delivery.DecodeGaps(head, metadata)
	if head > b.start {
		b.since, err = newReader(a.topic, a.report.Topic, nil).oldest(ctx, partition, b.start)
		if errors.Is(err, errRemoved) {
			err = nil // the topic begins later now; what is removed is counted as such
		}
	}
	return b, err
}

// clockSlack is how far the clocks of broker and ClickHouse may differ.
const clockSlack = time.Hour

// newPass prepares the audit of one partition.
func (a *audit) newPass(b bounds) *pass {
	head := max(b.head, b.start)
	p := &pass{
		audit: a, partition: b.partition, gone: b.start, reader: newReader(a.topic, a.report.Topic, a.erasures),
		place: place{topic: a.report.Topic, partition: b.partition, first: b.start, end: head},
	}
	if !b.since.IsZero() {
		p.place.since = b.since.Add(-clockSlack)
	}
	allowed := append([]allowance(nil), a.drops.within[b.partition]...)
	for _, g := range b.gaps {
		if g.First < p.place.first && g.Last+1 >= p.place.first {
			p.place.first = g.First
		}
		allowed = append(allowed, allowance{span: span{g.First, g.Last}, gap: g.Lost})
	}
	p.allowed = p.inside(merged(allowed))
	p.account = Account{Partition: b.partition, From: p.place.first, Head: head, End: b.end, Lag: b.end - head}
	return p
}

// partitionsAtATime is how many partitions one question counts the rows of.
const partitionsAtATime = 32

// count finds the buckets of all partitions that are not full.
func (a *audit) count(ctx context.Context, all []*pass) error {
	for some := range slices.Chunk(all, partitionsAtATime) {
		a.progress("partition %d to %d of %d: counting rows", some[0].partition, some[len(some)-1].partition, len(all))
		places := make([]place, len(some))
		for i, p := range some {
			places[i] = p.place
		}
		buckets, err := a.db.notFull(ctx, places)
		if err != nil {
			return err
		}
		for i, p := range some {
			p.notFull = buckets[i]
		}
	}
	return nil
}

// check finishes the audit of one partition.
func (p *pass) check(ctx context.Context) (Account, error) {
	if err := p.walk(ctx); err != nil {
		return p.account, fmt.Errorf("partition %d: %w", p.partition, err)
	}
	if err := p.findOtherLives(ctx); err != nil {
		return p.account, fmt.Errorf("partition %d: %w", p.partition, err)
	}
	if p.removed > 0 {
		p.warn("partition %d: %d records were removed from the topic before they could be looked up", p.partition,
			p.removed)
	}
	p.account.sum()
	return p.account, nil
}

// inside leaves out the allowances that do not concern the place.
func (p *pass) inside(all []allowance) (out []allowance) {
	for _, a := range all {
		if a.last >= p.place.first && a.first < p.place.end {
			out = append(out, a)
		}
	}
	return out
}

// walk goes through all offsets without a row.
func (p *pass) walk(ctx context.Context) error {
	missing := int64(0)
	var loose []span // outside of all allowances: they are looked up together, because each look has its own costs
	runs := p.db.withoutRow(ctx, p.place, p.notFull, &p.account.Doubled)
	err := divide(runs, p.allowed, func(but *allowance, spans []span) error {
		missing += lengthOf(spans)
		if but == nil {
			if loose = append(loose, spans...); lengthOf(loose) < lookUpAtATime {
				return nil
			}
			err := p.lookUp(ctx, loose, nil)
			loose = loose[:0]
			return err
		}
		if but.first >= p.place.first && lengthOf(spans) == but.least+but.gap {
			p.account.Dropped += but.least
			p.account.Gaps += but.gap
			return nil
		}
		most := but.dropped
		err := p.lookUp(ctx, p.onTopic(spans, but), but)
		if unsure := most - but.dropped - but.least; unsure > 0 {
			p.warn("partition %d: %d records from offset %d to %d count as dropped, and may be missing: the offsets were "+
				"read twice, and what steps dropped was counted twice", p.partition, unsure, but.first, but.last)
		}
		return err
	})
	if err == nil {
		err = p.lookUp(ctx, loose, nil)
	}
	p.account.Rows += p.place.end - p.place.first - missing
	return err
}

// onTopic returns the spans that the topic still has. It counts the others: they lie in a gap, and were counted as lost
// or had no record.
func (p *pass) onTopic(spans []span, but *allowance) (out []span) {
	for _, s := range spans {
		below := span{s.first, min(s.last, p.gone-1)}
		if n := below.length(); n > 0 {
			lost := min(n, but.gap)
			but.gap -= lost
			p.account.Gaps += lost
			p.account.Empty += n - lost
		}
		if s.first = max(s.first, p.gone); s.first <= s.last {
			out = append(out, s)
		}
	}
	return out
}

// findOtherLives warns of rows whose offsets the topic does not have: those of a topic that was deleted, or cut off.
func (p *pass) findOtherLives(ctx context.Context) error {
	if p.account.Doubled > 0 {
		p.warn("partition %d: %d rows have the offset of another row", p.partition, p.account.Doubled)
	}
	highest, err := p.db.beyond(ctx, p.report.Topic, p.partition, p.account.End)
	if err != nil || highest < 0 {
		return err
	}
	_, end, err := p.topic.Bounds(ctx, p.partition)
	if err == nil && highest >= end {
		p.warn("partition %d: the table has rows up to offset %d, and the topic ends at %d: "+
			"it was created anew, or cut off; rows of the earlier topic may stand in for lost ones", p.partition, highest, end)
	}
	return err
}

func (a *audit) warn(format string, args ...any) {
	a.report.Warnings = append(a.report.Warnings, fmt.Sprintf(format, args...))
}

// countedDead is database.countedDead where outcomes_raw exists.
func (a *audit) countedDead(ctx context.Context, rows []outcome.Row) (map[uuid.UUID]bool, error) {
	counted, err := a.db.countedDead(ctx, rows)
	if errors.Is(err, errNoTable) {
		return counted, nil // begin has warned
	}
	return counted, err
}
