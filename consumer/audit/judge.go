package audit

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"sluice/internal/backoff"
	"sluice/internal/outcome"
)

const (
	// lookUpAtATime is how many offsets are looked up in one go. It bounds the questions about them.
	lookUpAtATime = 500
	// secondLooks is how many times in an audit of a partition rows that seem to be lost are asked for again.
	secondLooks = 3
)

// lookUp finds out what became of the records at offsets without a row. but is how many of them may be dropped or lost;
// nil for none.
func (p *pass) lookUp(ctx context.Context, spans []span, but *allowance) error {
	for offsets := range chunks(spans, lookUpAtATime) {
		if n := p.MaxLookups - p.lookedUp; n < int64(len(offsets)) {
			p.account.Unchecked += int64(len(offsets)) - n
			offsets = offsets[:n]
		}
		if len(offsets) == 0 {
			continue
		}
		p.lookedUp += int64(len(offsets))
		p.progress("partition %d: %d offsets without a row looked up", p.partition, p.lookedUp)
		found, removed, err := p.reader.suspects(ctx, p.partition, offsets)
		if err != nil {
			return err
		}
		p.account.Empty += int64(len(offsets) - len(found) - removed)
		p.removed += int64(removed)
		if err := p.judge(ctx, found, but); err != nil {
			return err
		}
	}
	return nil
}

// judge counts each record under the first reason that there is for its having no row.
func (p *pass) judge(ctx context.Context, all []suspect, but *allowance) error {
	account := &p.account
	rest, err := p.withoutCounts(ctx, all)
	if err != nil {
		return err
	}
	if rest, err = p.withoutMerged(ctx, rest); err != nil {
		return err
	}
	if rest, err = p.withoutDead(ctx, rest); err != nil {
		return err
	}
	rest = slices.DeleteFunc(rest, func(s suspect) bool {
		if s.erased {
			account.Erased++
		}
		return s.erased
	})
	rest = slices.DeleteFunc(rest, func(s suspect) bool {
		key := dropKey{s.dead.Project, s.dead.Protocol, s.dead.Minute}
		switch {
		case p.expired(s):
			account.Expired++
		case but != nil && but.dropped > 0:
			account.Dropped++
			but.dropped--
			p.doubtful(but, s)
		case but != nil && but.gap > 0:
			account.Gaps++
			but.gap--
		case p.elsewhere[key] > 0:
			account.Dropped++
			p.elsewhere[key]--
		default:
			return false
		}
		return true
	})
	return p.lost(ctx, rest, but)
}

// withoutCounts counts records of gateways whose counts are in outcomes_raw, and returns the others.
func (p *pass) withoutCounts(ctx context.Context, all []suspect) (rest []suspect, err error) {
	for batch := range batchesOfCounts(all) {
		var rows []outcome.Row
		for _, s := range batch {
			rows = append(rows, s.counts...)
		}
		there, err := p.db.counts(ctx, rows)
		if err != nil && !errors.Is(err, errNoTable) { // begin has warned
			return nil, err
		}
		for _, s := range batch {
			lacks := func(r outcome.Row) bool {
				n := r.Events
				r.Events = 0
				return there[r] < n && !p.erasures.WholeProject(r.Project, time.Unix(r.Minute, 0))
			}
			if len(s.counts) > 0 && !slices.ContainsFunc(s.counts, lacks) {
				p.account.Counts++
			} else {
				rest = append(rest, s)
			}
		}
	}
	return rest, nil
}

// mostCounts bounds how many counts are asked for at a time.
const mostCounts = 4 * outcome.MaxRows

// batchesOfCounts divides suspects so that none has more than mostCounts counts.
func batchesOfCounts(all []suspect) func(func([]suspect) bool) {
	return func(yield func([]suspect) bool) {
		from, n := 0, 0
		for i := range all {
			if n += len(all[i].counts); n > mostCounts && i > from {
				if !yield(all[from:i]) {
					return
				}
				from, n = i, len(all[i].counts)
			}
		}
		if from < len(all) {
			yield(all[from:])
		}
	}
}

// withoutMerged counts records that were merged with another row of the same event, and returns the others.
func (p *pass) withoutMerged(ctx context.Context, all []suspect) ([]suspect, error) {
	var keys []identity
	for _, s := range all {
		if s.key.id != uuid.Nil {
			keys = append(keys, s.key)
		}
	}
	there, err := p.db.stored(ctx, keys)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(s suspect) bool {
		if there[s.key] {
			p.account.Merged++
		}
		return there[s.key]
	}), nil
}

// withoutDead counts dead letters, and returns the other records. It reads the dead-letter topic only for records
// whose dead letter is not counted in outcomes_raw.
func (p *pass) withoutDead(ctx context.Context, all []suspect) ([]suspect, error) {
	rows := make([]outcome.Row, len(all))
	for i, s := range all {
		rows[i] = s.dead
	}
	counted, err := p.countedDead(ctx, rows)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(s suspect) bool {
		if counted[s.dead.Source] {
			p.account.DeadLetters++
		}
		return counted[s.dead.Source]
	}), nil
}

// expired reports whether the table's retention has removed the row of a record, or may be doing so now.
func (p *pass) expired(s suspect) bool {
	const slack = time.Hour // ClickHouse removes rows when it merges them, and at the insert
	if p.retention == nil {
		return false
	}
	keeps := p.retention.Of(s.Project)
	return time.Since(s.received) > keeps-min(slack, keeps/24)
}

// doubtful remembers some of the records that may have been dropped, or may be those that are missing in their range.
func (p *pass) doubtful(but *allowance, s suspect) {
	if p.doubts.first != but.first {
		p.doubts.first, p.doubts.records = but.first, nil
	}
	if len(p.doubts.records) < maxMissing {
		p.doubts.records = append(p.doubts.records, s.Missing)
	}
}

// lost counts records without any reason. It first looks on the dead-letter topic, and then for their rows a second
// time: on a cluster, the replica that answered may have been behind.
func (p *pass) lost(ctx context.Context, rest []suspect, but *allowance) error {
	if len(rest) == 0 {
		return nil
	}
	letters := p.deadLetters(ctx)
	rest = slices.DeleteFunc(rest, func(s suspect) bool {
		there := letters[deadPlace{p.partition, s.Offset}]
		if there {
			p.account.DeadLetters++
		}
		return there
	})
	if p.looks < secondLooks && len(rest) > 0 && backoff.Sleep(ctx, p.SecondLook) {
		p.looks++
		offsets := make([]int64, len(rest))
		for i, s := range rest {
			offsets[i] = s.Offset
		}
		there, err := p.db.rowsAt(ctx, p.place, offsets)
		if err != nil {
			return err
		}
		p.account.Rows += int64(len(there))
		rest = slices.DeleteFunc(rest, func(s suspect) bool { return there[s.Offset] })
	}
	if len(rest) == 0 {
		return ctx.Err()
	}
	p.account.Unaccounted += int64(len(rest))
	if but != nil && p.doubts.first == but.first {
		p.account.list(p.doubts.records)
		p.doubts.records = nil
	}
	for _, s := range rest {
		p.account.list([]Missing{s.Missing})
	}
	return ctx.Err()
}

// list adds missing records to those that are listed.
func (a *Account) list(more []Missing) {
	a.Missing = append(a.Missing, more[:min(len(more), maxMissing-len(a.Missing))]...)
}

// outside is a copy of what dropped events no range names, so that two audits do not use up the same numbers.
func (d *drops) outside() map[dropKey]int64 { return maps.Clone(d.elsewhere) }
