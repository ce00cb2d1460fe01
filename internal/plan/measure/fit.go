package measure

import (
	"math"

	"sluice/internal/plan"
)

// fit turns samples into figures. In each sample, of the processor time of a program,
//
//	time = idle × seconds + requests × (request at this rate) + events × event           gateway, broker, consumer
//	time = idle × seconds + inserts × insert + rows × row + merged rows × merge          ClickHouse
//
// The unknowns follow from samples in which one of them outweighs the others, in some rounds, because each also needs
// the others' values.
func (s *stages) fit() plan.Figures {
	f := plan.Figures{Idle: plan.Idle{
		Gateway: s.idleCores(s.idle.gateway), Broker: s.idleCores(s.idle.broker),
		Consumer: s.idleCores(s.idle.consumer), ClickHouse: s.idleCores(s.idle.engine),
	}}
	for _, of := range s.bySize {
		f.Sizes = append(f.Sizes, of.bytesOf())
	}
	for range rounds {
		for i := range s.bySize {
			s.fitRequests(&f, i)
		}
		s.fitInserts(&f)
		for i := range s.bySize {
			s.fitSize(&f, i)
		}
	}
	return f
}

// rounds is how often the unknowns are solved in turn. They change little after the third.
const rounds = 10

// floor is the least share of a sample's time that is taken for its unknown. It keeps noise from making a figure
// negative.
const floor = 0.05

// tick is the resolution of processor time, in microseconds.
const tick = 10_000

func (s *stages) idleCores(u Usage) float64 { return u.Processor.Seconds() / s.idle.seconds }

// left is the time of a sample, in microseconds, without the idle time and what else is known. It is never below a
// small share of it.
func (s sample) left(u Usage, idle, known float64) float64 {
	micros := u.Processor.Seconds() * 1e6
	return max(micros-idle*s.seconds*1e6-known, floor*micros, floor*tick)
}

func (s sample) events() float64   { return float64(s.sent.Accepted) }
func (s sample) requests() float64 { return float64(s.sent.Requests) }

// rate is the requests a second while it was sent.
func (s sample) rate() float64 { return s.requests() / s.sent.Seconds }

// fitRequests gives what requests of single events of a size cost besides their events.
func (s *stages) fitRequests(f *plan.Figures, i int) {
	event := &f.Sizes[i]
	event.Requests = nil
	large := s.bySize[i].bulk.logged / s.bySize[i].bulk.events()
	for _, one := range s.bySize[i].singles {
		if n := len(event.Requests); n > 0 && one.rate() <= event.Requests[n-1].PerSecond*1.2 {
			continue // a machine so slow that it cannot send faster
		}
		n := one.events()
		event.Requests = append(event.Requests, plan.RequestCost{
			PerSecond:  one.rate(),
			Gateway:    one.left(one.gateway, f.Idle.Gateway, n*event.Gateway) / n,
			Broker:     one.left(one.broker, f.Idle.Broker, n*event.Broker) / n,
			Consumer:   one.left(one.consumer, f.Idle.Consumer, n*event.Consumer+one.Inserts*f.Insert.Consumer) / n,
			BatchBytes: max(one.logged/n-large, 0),
			SentBytes:  max(float64(one.gateway.Written)/n-event.Answer-large, 0),
		})
	}
}

// fitInserts takes ClickHouse's part from few single events. The consumer's is what the two lowest rates have in
// common: at both, each event is a record batch of its own, and there are as many inserts a second.
func (s *stages) fitInserts(f *plan.Figures) {
	event, slowest, one := f.Sizes[0], s.bySize[0].singles[0], s.bySize[0].singles[1]
	rows := one.events()*event.Row + one.MergedRows*event.Merge
	f.Insert.ClickHouse = one.left(one.engine, f.Idle.ClickHouse, rows) / max(one.Inserts, 1)
	more := one.left(one.consumer, f.Idle.Consumer, 0)/one.seconds -
		slowest.left(slowest.consumer, f.Idle.Consumer, 0)/slowest.seconds
	events := max(more, 0) / max(one.rate()-slowest.rate(), 1) * slowest.events()
	f.Insert.Consumer = slowest.left(slowest.consumer, f.Idle.Consumer, events) / max(slowest.Inserts, 1)
}

// fitSize gives what events of a size cost.
func (s *stages) fitSize(f *plan.Figures, i int) {
	of, c := s.bySize[i], &f.Sizes[i]
	bulks, n := of.bulk, of.bulk.events()
	requests := func(s sample) plan.RequestCost {
		r, n := c.RequestAt(s.rate()), s.requests()
		return plan.RequestCost{Gateway: r.Gateway * n, Broker: r.Broker * n, Consumer: r.Consumer * n}
	}
	full := bulks.left(bulks.gateway, f.Idle.Gateway, requests(bulks).Gateway) / n
	c.Gateway = of.paced.left(of.paced.gateway, f.Idle.Gateway, requests(of.paced).Gateway) / of.paced.events()
	c.Broker = bulks.left(bulks.broker, f.Idle.Broker, requests(bulks).Broker) / n
	known := requests(bulks).Consumer + bulks.Inserts*f.Insert.Consumer
	c.Consumer = bulks.left(bulks.consumer, f.Idle.Consumer, known) / n
	c.Merge = of.merge.left(of.merge.engine, f.Idle.ClickHouse, 0) / max(of.merge.MergedRows, of.rows)
	known = bulks.Inserts*f.Insert.ClickHouse + bulks.MergedRows*c.Merge
	c.Row = bulks.left(bulks.engine, f.Idle.ClickHouse, known) / n

	known = of.gzip.events()*full + requests(of.gzip).Gateway
	c.Gzip = of.gzip.left(of.gzip.gateway, f.Idle.Gateway, known) / of.gzip.events()
}

// bytesOf gives the bytes of an event of a size.
func (of sized) bytesOf() plan.SizeCost {
	n := of.bulk.events()
	body := float64(of.bulk.sent.Bytes) / n
	single := of.singles[len(of.singles)-1]
	ones := single.events()
	return plan.SizeCost{
		EventBytes: math.Round(body),
		Bytes: plan.Bytes{
			Gzip:    float64(of.gzip.gateway.Read) / of.gzip.events(),
			Request: max(float64(single.gateway.Read)/ones-body, 0),
			Answer:  max((float64(single.gateway.Written)-single.logged)/ones, 0),
			Kafka:   of.bulk.logged / n,
			Insert:  of.bulk.Received / n,
			Disk:    of.diskBytes / of.rows,
		},
	}
}
