package erase

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sluice/consumer/erased"
	"sluice/internal/console/scrape"
	"sluice/internal/erasure"
	"sluice/internal/topics"
)

// Found is what there is to erase.
type Found struct {
	Rows        int64 `json:"rows"`   // of events, resends that have not been merged among them
	Counts      int64 `json:"counts"` // rows of outcomes_raw, of a whole project
	DeadLetters int64 `json:"dead_letters"`
}

// Find counts what there is to erase, and changes nothing.
func (e *Eraser) Find(ctx context.Context) (f Found, err error) {
	marks, err := e.marks(ctx)
	if err != nil {
		return f, err
	}
	if f.Rows, f.Counts, err = e.countRows(ctx, marks); err != nil {
		return f, err
	}
	f.DeadLetters, err = e.countLetters(ctx, marks)
	return f, err
}

// marks makes the marks of an erasure that happens now.
func (e *Eraser) marks(ctx context.Context) ([]erasure.Mark, error) {
	salt, err := e.db.salt(ctx)
	if err != nil {
		return nil, err
	}
	return e.MarksAt(e.now(), salt), nil
}

// Erase erases, and returns what is gone and what remains. After an error, run it again: nothing that was done is
// undone, and nothing comes back once the erasure is noted.
func (e *Eraser) Erase(ctx context.Context) (*Receipt, error) {
	if err := e.askConsumers(ctx); err != nil {
		return nil, err
	}
	events, err := topics.KeptBy(ctx, e.conn, e.conn.Topic)
	if err != nil {
		return nil, err
	}
	dead, err := topics.KeptBy(ctx, e.conn, e.conn.DeadTopic)
	if err != nil {
		return nil, err
	}
	marks, err := e.marks(ctx)
	if err != nil {
		return nil, err
	}
	forget, err := e.forgetAt(ctx, marks[0], events, dead)
	if err != nil {
		return nil, err
	}
	if err := e.db.note(ctx, marks, forget, e.Note); err != nil {
		return nil, err
	}
	if err := e.awaitConsumers(ctx); err != nil {
		return nil, err
	}
	r := e.newReceipt(marks)
	for i, t := range e.db.deletions(marks) {
		n, err := e.deleteRows(ctx, t)
		if err != nil {
			return nil, err
		}
		what := "rows of events, resends among them"
		if i > 0 {
			what = "counts of the project"
		}
		r.Gone = append(r.Gone, Gone{Where: "clickhouse " + e.db.name + "." + t.table, What: what, Count: n})
	}
	r.Finished = e.now().UTC().Truncate(time.Second)
	if err := e.removeLetters(ctx, marks, dead, r); err != nil {
		return nil, err
	}
	return r, e.noteRest(ctx, marks, r)
}

func (e *Eraser) newReceipt(marks []erasure.Mark) *Receipt {
	r := &Receipt{
		Version: receiptVersion, Project: e.Project, Note: e.Note, Database: e.db.name, Cluster: e.db.cluster,
		ErasedAt: marks[0].At, Gateways: e.Gateways,
	}
	var by []string
	for _, m := range marks {
		by = append(by, string(m.Kind))
		r.Marks = append(r.Marks, m.String())
	}
	r.By = strings.Join(by, " and ")
	return r
}

// latest is the end of ClickHouse's DateTime.
var latest = time.Date(2106, 1, 1, 0, 0, 0, 0, time.UTC)

// forgetAt is when nothing that was erased can come again: Kafka has removed it, and as much time has passed as the
// table keeps rows.
func (e *Eraser) forgetAt(ctx context.Context, m erasure.Mark, kept ...topics.Kept) (time.Time, error) {
	rows, err := e.db.retention(ctx)
	if err != nil {
		return latest, err
	}
	longest := time.Duration(0)
	for _, k := range kept {
		if k.For == 0 {
			return latest, nil
		}
		longest = max(longest, k.For)
	}
	if rows == 0 {
		return latest, nil
	}
	at := m.At.Add(longest + rows + m.Doubt)
	if at.After(latest) {
		return latest, nil
	}
	return at, nil
}

// awaitConsumers waits until no insert can be under way that does not know the erasure.
func (e *Eraser) awaitConsumers(ctx context.Context) error {
	noted := time.Now()
	e.progress("the erasure is noted; waiting %s until every consumer has read it", erased.ListAge)
	if !sleep(ctx, erased.ListAge+time.Second) {
		return ctx.Err()
	}
	last := noted.Add(erased.ListAge) // an insert that began before may not know
	err := until(ctx, longestInsert, func() (bool, error) {
		n, err := e.db.olderInserts(ctx, time.Since(last))
		if n > 0 {
			e.progress("waiting for %d inserts that began before", n)
		}
		return n == 0, err
	})
	return err
}

// askConsumers makes sure that each consumer heeds erasures.
func (e *Eraser) askConsumers(ctx context.Context) error {
	if len(e.Consumers) == 0 {
		return nil
	}
	client := scrape.NewClient()
	defer client.Close()
	for _, a := range client.Ask(ctx, scrape.NewTargets(e.Consumers).At(ctx, time.Now())) {
		const metric = "sluice_consumer_erasures"
		switch {
		case a.Err != nil:
			return fmt.Errorf("--consumers: %s: %w", a.Address, a.Err)
		case !a.Reading.Has(metric):
			return fmt.Errorf("--consumers: %s does not know of erasures: upgrade it first", a.Address)
		case a.Reading.Gauge(metric) < 0:
			return fmt.Errorf("--consumers: %s may not read the erasures: grant its user SELECT on %s.erasures",
				a.Address, e.db.name)
		}
	}
	return nil
}
