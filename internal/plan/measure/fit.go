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
		s.fitRequests(&f)
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

// fitRequests gives what requests of single events cost besides their events.
func (s *stages) fitRequests(f *plan.Figures) {
	f.Requests = nil
	event := f.Sizes[0]
	large := s.bySize[0].bulk.logged / s.bySize[0].bulk.events()
	for _, one := range s.singles {
		if n := len(f.Requests); n > 0 && one.rate() <= f.Requests[n-1].PerSecond*1.2 {
			continue // a machine so slow that it cannot send faster
		}
		n := one.events()
		f.Requests = append(f.Requests, plan.RequestCost{
			PerSecond:  one.rate(),
			Gateway:    one.left(one.gateway, f.Idle.Gateway, n*event.Gateway) / n,
			Broker:     one.left(one.broker, f.Idle.Broker, n*event.Broker) / n,
			Consumer:   one.left(one.consumer, f.Idle.Consumer, n*event.Consumer+one.Inserts*f.Insert.Consumer) / n,
			BatchBytes: max(one.logged/n-large, 0),
			SentBytes:  max(float64(one.gateway.Written)/n-event.Answer-large, 0),
		})
	}
}

// fitInserts takes ClickHouse's part from few single events, the consumer's from paced bulks.
func (s *stages) fitInserts(f *plan.Figures) {
	event, one := f.Sizes[0], s.singles[1]
	rows := one.events()*event.Row + one.MergedRows*event.Merge
	f.Insert.ClickHouse = one.left(one.engine, f.Idle.ClickHouse, rows) / max(one.Inserts, 1)
	paced := s.bySize[0].paced
	known := paced.events()*event.Consumer + paced.requests()*f.RequestAt(paced.rate()).Consumer
	f.Insert.Consumer = paced.left(paced.consumer, f.Idle.Consumer, known) / max(paced.Inserts, 1)
}

// fitSize gives what events of a size cost.
func (s *stages) fitSize(f *plan.Figures, i int) {
	of, c := s.bySize[i], &f.Sizes[i]
	bulks, n := of.bulk, of.bulk.events()
	requests := func(s sample) plan.RequestCost {
		r, all := f.RequestAt(s.rate()), s.requests()*c.Request
		return plan.RequestCost{Gateway: r.Gateway * all, Broker: r.Broker * all, Consumer: r.Consumer * all}
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
	if i > 0 {
		s.fitFactors(f, i, full)
	}
}

// fitFactors compares single events of a size with those of the first size: their time as fast as possible, their bytes
// at a rate at which each has a batch of its own.
func (s *stages) fitFactors(f *plan.Figures, i int, full float64) {
	c, single := &f.Sizes[i], s.bySize[i].single
	n, at := single.events(), f.RequestAt(single.rate())
	c.Request = single.left(single.gateway, f.Idle.Gateway, n*full) / n / at.Gateway
	slow := s.bySize[i].slow
	c.Batch = max(slow.logged/slow.events()-c.Kafka, 0) / max(f.RequestAt(slow.rate()).BatchBytes, 1)
}

// bytesOf gives the bytes of an event of a size.
func (of sized) bytesOf() plan.SizeCost {
	n := of.bulk.events()
	body := float64(of.bulk.sent.Bytes) / n
	ones := of.single.events()
	return plan.SizeCost{
		EventBytes: math.Round(body), Request: 1, Batch: 1,
		Bytes: plan.Bytes{
			Gzip:    float64(of.gzip.gateway.Read) / of.gzip.events(),
			Request: max(float64(of.single.gateway.Read)/ones-body, 0),
			Answer:  max((float64(of.single.gateway.Written)-of.single.logged)/ones, 0),
			Kafka:   of.bulk.logged / n,
			Insert:  of.bulk.Received / n,
			Disk:    of.diskBytes / of.rows,
		},
	}
}
