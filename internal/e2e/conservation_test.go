package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// event is what tells events apart.
type event struct{ project, id string }

// account is what became of one partition's records, as Kafka and ClickHouse show it.
//
//	start            head               end
//	  │  accounted for │ the lag          │
//
// Every record below the head is a row, or was merged with a row of the same event, or is a dead letter, or was dropped by a processor. What is
// below the start cannot be read any more: it is a row or a dead letter, or was counted as lost.
type account struct {
	partition        int
	start, head, end int64
	records          map[int64]event   // on the topic, without those of aborted transactions
	rows             map[int64][]event // in events_raw
	dead             map[int64]bool    // dead letters
}

// exempt is what a scenario does on purpose that the topic does not show.
type exempt struct {
	otherLives bool  // the table has rows of another topic that had the name
	emptyBelow int64 // offsets below the start that never had a record
}

// outcome is what the accounts of a topic come to.
type outcome struct {
	faults  []string
	gone    int64 // offsets below the start and the head that are neither rows nor dead letters
	dropped int64 // records below the head that are nowhere
	first   string
}

// settle adds up. stored are the events that have a row, on whatever partition.
func settle(accounts []account, stored map[event]bool, but exempt) outcome {
	var out outcome
	for _, a := range accounts {
		out.settle(a, stored, but)
	}
	out.gone -= but.emptyBelow
	return out
}

func (o *outcome) settle(a account, stored map[event]bool, but exempt) {
	for offset, e := range a.records {
		if offset >= a.head || a.dead[offset] || stored[e] {
			continue
		}
		o.dropped++
		if o.first == "" {
			o.first = fmt.Sprintf("partition %d, offset %d (head %d)", a.partition, offset, a.head)
		}
	}
	below := int64(0)
	for offset, events := range a.rows {
		if offset < a.start {
			below++
		}
		e, there := a.records[offset]
		switch {
		case but.otherLives:
		case len(events) > 1:
			o.fault("partition %d, offset %d: %d rows", a.partition, offset, len(events))
		case offset >= a.start && !there:
			o.fault("partition %d, offset %d: a row of no record", a.partition, offset)
		case there && events[0] != e:
			o.fault("partition %d, offset %d: a row of another event", a.partition, offset)
		}
	}
	for offset := range a.dead {
		if offset < a.start && len(a.rows[offset]) == 0 {
			below++
		}
	}
	if !but.otherLives {
		o.gone += min(a.start, a.head) - min(below, a.head)
	}
}

func (o *outcome) fault(format string, args ...any) {
	o.faults = append(o.faults, fmt.Sprintf(format, args...))
}

// compare holds the outcome against what the consumers counted. Where the figures of one are missing, because it was killed, they are only a lower
// bound; what is nowhere is never right without a processor that drops.
func (o *outcome) compare(gaps, dropped int64, complete, drops bool) []string {
	faults := slices.Clone(o.faults)
	say := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	switch {
	case !drops && o.dropped > 0, o.dropped > dropped && complete:
		say("%d records are nowhere, and %d were dropped by processors; the first, %s", o.dropped, dropped, o.first)
	case o.dropped < dropped:
		say("%d records are nowhere, and %d were dropped by processors", o.dropped, dropped)
	}
	if o.gone > gaps && complete || o.gone < gaps {
		say("%d offsets are gone, and %d were counted as lost", o.gone, gaps)
	}
	return faults
}

// conserved checks, at the end of every scenario, that nothing has vanished and nothing was made up: records on the topic = rows + resends merged +
// dead letters + dropped + counted as lost + lag. It runs once: after the scenario's programs have ended, or where a scenario calls it because its
// ClickHouse is gone by then.
func (p *pipeline) conserved() {
	p.t.Helper()
	if p.settled || p.t.Failed() || p.t.Skipped() {
		return
	}
	p.settled = true
	known := p.counted()
	accounts, stored := p.accounts()
	out := settle(accounts, stored, p.exempt)
	if faults := out.compare(known.gaps, known.dropped, known.complete, known.drops); len(faults) > 0 {
		p.t.Errorf("not conserved: %s", strings.Join(faults[:min(len(faults), 20)], "; "))
	}
}

// The check fails in each direction.
func TestConservation(t *testing.T) {
	good := func() ([]account, map[event]bool) {
		of := func(n int) event { return event{"p", fmt.Sprint(n)} }
		a := account{partition: 3, start: 4, head: 9, end: 12, records: map[int64]event{}, rows: map[int64][]event{}, dead: map[int64]bool{}}
		for offset := int64(4); offset < 12; offset++ {
			a.records[offset] = of(int(offset))
		}
		delete(a.records, 5) // a marker
		a.records[8] = of(7) // a resend, merged
		a.dead[6] = true
		for _, offset := range []int64{0, 1, 4, 7, 9} { // 2 and 3 were lost; 9 is in before the head says so
			a.rows[offset] = []event{of(int(offset))}
		}
		return []account{a}, map[event]bool{of(0): true, of(1): true, of(4): true, of(7): true, of(9): true}
	}
	for _, c := range []struct {
		name          string
		edit          func(a *account, stored map[event]bool)
		gaps, dropped int64
		incomplete    bool
		drops         bool
		want          string
	}{
		{name: "as it should be", gaps: 2},
		{name: "a row is missing", edit: func(a *account, s map[event]bool) { delete(a.rows, 4); delete(s, event{"p", "4"}) }, gaps: 2, want: "1 records are nowhere"},
		{name: "a row is missing, whatever was killed", incomplete: true,
			edit: func(a *account, s map[event]bool) { delete(a.rows, 4); delete(s, event{"p", "4"}) }, gaps: 2, want: "1 records are nowhere"},
		{name: "a dead letter is missing", edit: func(a *account, _ map[event]bool) { delete(a.dead, 6) }, gaps: 2, want: "1 records are nowhere"},
		{name: "the head is too far", edit: func(a *account, _ map[event]bool) { a.head = 11 }, gaps: 2, want: "1 records are nowhere"},
		{name: "a row twice", edit: func(a *account, _ map[event]bool) { a.rows[4] = append(a.rows[4], a.rows[4][0]) }, gaps: 2, want: "2 rows"},
		{name: "a row of an aborted record", edit: func(a *account, _ map[event]bool) { a.rows[5] = []event{{"p", "5"}} }, gaps: 2, want: "a row of no record"},
		{name: "a row beyond the end", edit: func(a *account, _ map[event]bool) { a.rows[12] = []event{{"p", "12"}} }, gaps: 2, want: "a row of no record"},
		{name: "a row of another event", edit: func(a *account, _ map[event]bool) { a.rows[4] = []event{{"q", "4"}} }, gaps: 2, want: "another event"},
		{name: "a loss is not counted", gaps: 1, want: "2 offsets are gone, and 1"},
		{name: "a loss is not counted by who was killed", gaps: 1, incomplete: true},
		{name: "a loss is counted twice", gaps: 3, want: "2 offsets are gone, and 3"},
		{name: "a loss is counted twice, by who was not killed", gaps: 3, incomplete: true, want: "2 offsets are gone, and 3"},
		{name: "a marker counts as lost", gaps: 3, want: "2 offsets are gone, and 3"},
		{name: "dropped on purpose", edit: func(a *account, s map[event]bool) { delete(a.rows, 4); delete(s, event{"p", "4"}) }, gaps: 2, dropped: 1, drops: true},
		{name: "dropped and not counted", edit: func(a *account, s map[event]bool) { delete(a.rows, 4); delete(s, event{"p", "4"}) }, gaps: 2, drops: true, want: "1 records"},
		{name: "counted and not dropped", gaps: 2, dropped: 1, drops: true, want: "0 records"},
	} {
		accounts, stored := good()
		if c.edit != nil {
			c.edit(&accounts[0], stored)
		}
		out := settle(accounts, stored, exempt{})
		got := strings.Join(out.compare(c.gaps, c.dropped, !c.incomplete, c.drops), "; ")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
