package erase

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"sluice/internal/erasure"
	"sluice/internal/kafkaconn"
	"sluice/internal/topics"
)

// Checked is the result of a later look at one place.
type Checked struct {
	Where string `json:"where"`
	Left  int64  `json:"left"`  // 0: gone
	State string `json:"state"` // gone, waiting, overdue, back or unknown
	Note  string `json:"note,omitempty"`
}

// The states of a place.
const (
	stateGone    = "gone"
	stateWaiting = "waiting" // there, as the receipt says
	stateOverdue = "overdue" // there for longer than the receipt says
	stateBack    = "back"    // there although it was removed
	stateUnknown = "unknown" // nobody could look
)

// Report is the result of a later look.
type Report struct {
	ErasedAt time.Time `json:"erased_at"`
	Looked   time.Time `json:"looked_at"`
	Places   []Checked `json:"places"`
}

// Gone reports whether all that the receipt promised is gone.
func (r *Report) Gone() bool {
	for _, p := range r.Places {
		if p.State != stateGone {
			return false
		}
	}
	return true
}

// NewChecker returns an eraser that looks whether what a receipt promised is gone. The receipt says what to look for;
// of the settings it uses how ClickHouse is reached.
func NewChecker(cfg Config, conn kafkaconn.Config, r *Receipt, progress io.Writer) (*Eraser, error) {
	if cfg.Cluster == "" {
		cfg.Cluster = r.Cluster
	}
	if len(cfg.Gateways) == 0 {
		cfg.Gateways = r.Gateways
	}
	cfg.Project = r.Project
	return New(cfg, conn, progress)
}

// Check looks again at every place that the receipt names and that can be looked at.
func (e *Eraser) Check(ctx context.Context, r *Receipt) (*Report, error) {
	marks, err := r.marks()
	if err != nil {
		return nil, err
	}
	out := &Report{ErasedAt: r.ErasedAt, Looked: e.now().UTC().Truncate(time.Second)}
	for _, t := range e.db.deletions(marks) {
		left, err := e.db.count(ctx, "SELECT toInt64(count()) FROM "+e.db.everywhere(t.table)+" WHERE "+t.condition)
		if err != nil {
			return nil, err
		}
		out.add("clickhouse "+e.db.name+"."+t.table, left, stateBack, "run the erasure again")
	}
	if err := e.checkParts(ctx, r, marks, out); err != nil {
		return nil, err
	}
	letters, err := e.countLetters(ctx, marks)
	if err != nil {
		return nil, err
	}
	out.add("kafka "+e.conn.DeadTopic, letters, stateBack,
		"records that could not become rows died after the erasure: run the erasure again")
	kept, err := topics.KeptBy(ctx, e.conn, e.conn.Topic)
	if err != nil {
		return nil, err
	}
	state, note := r.stateOf(PlaceTopic, out.Looked)
	out.add("kafka "+e.conn.Topic, unread(r.Log, kept), state, note)
	for _, s := range askGateways(ctx, e.Gateways) {
		switch {
		case s.err != nil:
			out.Places = append(out.Places, Checked{"the spool of gateway " + s.address, 0, stateUnknown, s.err.Error()})
		case s.holdsOlderThan(r.ErasedAt):
			out.add("the spool of gateway "+s.address, int64(s.events), stateWaiting,
				"events from before the erasure wait, of whatever project")
		default:
			out.add("the spool of gateway "+s.address, 0, stateGone, "")
		}
	}
	return out, nil
}

// checkParts looks for the replaced parts that the receipt names.
func (e *Eraser) checkParts(ctx context.Context, r *Receipt, marks []erasure.Mark, out *Report) error {
	now, err := e.db.replaced(ctx, e.db.deletions(marks))
	if err != nil {
		return err
	}
	there := map[Part]bool{}
	for _, p := range now {
		there[p] = true
	}
	left := int64(0)
	for _, p := range r.Parts {
		if there[p] {
			left++
		}
	}
	state, note := r.stateOf(PlaceParts, out.Looked)
	out.add("the disk of ClickHouse", left, state, note)
	return nil
}

// stateOf is the state of a place where something is left, by what the receipt says of the place.
func (r *Receipt) stateOf(place Place, now time.Time) (state, note string) {
	for _, m := range r.Remains {
		switch {
		case m.Place != place:
		case m.Until == nil:
			return stateWaiting, m.Why
		case now.Before(*m.Until):
			return stateWaiting, "until " + moment(*m.Until)
		default:
			return stateOverdue, "since " + moment(*m.Until)
		}
	}
	return stateOverdue, ""
}

// add adds a place. The state is for something that is left.
func (r *Report) add(where string, left int64, state, note string) {
	if left == 0 {
		state, note = stateGone, ""
	}
	r.Places = append(r.Places, Checked{where, left, state, note})
}

// WriteText prints the report for people.
func (r *Report) WriteText(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "PLACE\tLEFT\tSTATE\t")
	for _, p := range r.Places {
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", p.Where, p.Left, p.State, p.Note)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	verdict := "all of it is gone"
	if !r.Gone() {
		verdict = "not all of it is gone"
	}
	_, err := fmt.Fprintf(w, "%s, of what was erased at %s\n", verdict, moment(r.ErasedAt))
	return err
}
