package erase

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sluice/consumer/clickhouse"
	"sluice/internal/console/scrape"
	"sluice/internal/erasure"
	"sluice/internal/topics"
)

// longestInsert is how long an insert may take.
const longestInsert = clickhouse.InsertTimeout + 10*time.Second

// noteRest notes what remains.
func (e *Eraser) noteRest(ctx context.Context, marks []erasure.Mark, r *Receipt) error {
	var err error
	deletions := e.db.deletions(marks)
	if r.Parts, err = e.db.replaced(ctx, deletions); err != nil {
		return err
	}
	if len(r.Parts) > 0 {
		stay, err := e.db.partsStay(ctx, deletions[0].table)
		if err != nil {
			return err
		}
		until := r.Finished.Add(stay)
		r.remains(PlaceParts, &until, "the disk of ClickHouse",
			fmt.Sprintf("%d replaced parts, which no query reads", len(r.Parts)),
			"ClickHouse deletes them after old_parts_lifetime")
	}
	events, err := topics.KeptBy(ctx, e.conn, e.conn.Topic)
	if err != nil {
		return err
	}
	e.noteTopic(events, r)
	e.noteSpools(ctx, r)
	return e.noteOthers(ctx, r)
}

// noteSpools notes what the gateways' spools may hold.
func (e *Eraser) noteSpools(ctx context.Context, r *Receipt) {
	if len(e.Gateways) == 0 {
		r.remains(PlaceOther, nil, "the spools of gateways", "events that Kafka has not taken yet",
			"not looked at: name the gateways with --gateways, or rewrite a stopped gateway's spool with --rewrite-spool")
		return
	}
	for _, s := range askGateways(ctx, e.Gateways) {
		switch {
		case s.err != nil:
			r.remains(PlaceSpools, nil, "the spool of gateway "+s.address, "unknown", s.err.Error())
		case s.holdsOlderThan(r.ErasedAt):
			r.remains(PlaceSpools, nil, "the spool of gateway "+s.address,
				fmt.Sprintf("%.0f events of all projects, the oldest from %s", s.events, moment(s.oldest)),
				"gone when Kafka has taken them, and consumers drop what is erased; for refused ones stop the gateway and "+
					"rewrite its spool with --rewrite-spool")
		}
	}
}

// spooled is what waits in the spool of a gateway.
type spooled struct {
	address string
	events  float64
	oldest  time.Time
	err     error
}

// holdsOlderThan reports whether events wait that came before a time.
func (s spooled) holdsOlderThan(at time.Time) bool { return s.events > 0 && !s.oldest.After(at) }

// askGateways asks gateways what waits in their spools. A gateway without a spool has nothing.
func askGateways(ctx context.Context, addresses []string) (all []spooled) {
	client := scrape.NewClient()
	defer client.Close()
	for _, a := range client.Ask(ctx, scrape.NewTargets(addresses).At(ctx, time.Now())) {
		s := spooled{address: a.Address, err: a.Err}
		if a.Err == nil {
			s.events = a.Reading.Gauge("sluice_gateway_spool_events")
			age := time.Duration(a.Reading.Gauge("sluice_gateway_spool_oldest_seconds") * float64(time.Second))
			s.oldest = time.Now().Add(-age)
		}
		all = append(all, s)
	}
	return all
}

// noteOthers notes what the tool cannot reach.
func (e *Eraser) noteOthers(ctx context.Context, r *Receipt) error {
	r.remains(PlaceOther, nil, "backups, and frozen or copied parts", "what they held", "out of reach: as long as you keep them")
	if n, err := e.db.detached(ctx); err != nil {
		return err
	} else if n > 0 {
		r.remains(PlaceOther, nil, "clickhouse "+e.db.name, fmt.Sprintf("%d detached parts", n),
			"no query reads them: drop them, or attach them and erase again")
	}
	names, err := e.db.strangers(ctx)
	if len(names) > 0 {
		r.remains(PlaceOther, nil, "clickhouse "+e.db.name, "whatever these tables hold: "+strings.Join(names, ", "),
			"not Sluice's: look there yourself")
	}
	return err
}
