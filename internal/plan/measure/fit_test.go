package measure

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/load"
	"sluice/internal/plan"
)

// known are figures from which samples are made up.
var known = plan.Figures{
	Idle:   plan.Idle{Gateway: 0.001, Broker: 0.002, Consumer: 0.003, ClickHouse: 0.01},
	Insert: plan.InsertCost{Consumer: 2000, ClickHouse: 13_000},
	Sizes: []plan.SizeCost{
		{EventBytes: 200, Gateway: 1.5, Gzip: 0.5, Broker: 0.2, Consumer: 1.5, Row: 2.5, Merge: 1.8,
			Bytes: plan.Bytes{Gzip: 45, Request: 170, Answer: 240, Kafka: 75, Insert: 350, Disk: 80},
			Requests: []plan.RequestCost{
				{PerSecond: 100, Gateway: 400, Broker: 300, Consumer: 100, BatchBytes: 250},
				{PerSecond: 500, Gateway: 250, Broker: 200, Consumer: 80, BatchBytes: 200},
				{PerSecond: 3000, Gateway: 110, Broker: 90, Consumer: 50, BatchBytes: 150},
				{PerSecond: 20_000, Gateway: 25, Broker: 12, Consumer: 6, BatchBytes: 40},
			}},
		{EventBytes: 1400, Gateway: 5, Gzip: 3, Broker: 1, Consumer: 5, Row: 8, Merge: 4,
			Bytes: plan.Bytes{Gzip: 260, Request: 170, Answer: 240, Kafka: 320, Insert: 1650, Disk: 260},
			Requests: []plan.RequestCost{
				{PerSecond: 100, Gateway: 480, Broker: 320, Consumer: 120, BatchBytes: 550},
				{PerSecond: 500, Gateway: 300, Broker: 220, Consumer: 100, BatchBytes: 480},
				{PerSecond: 3000, Gateway: 130, Broker: 95, Consumer: 60, BatchBytes: 300},
				{PerSecond: 20_000, Gateway: 30, Broker: 15, Consumer: 8, BatchBytes: 90},
			}},
	},
}

// made is the sample that the known figures give.
func made(size plan.SizeCost, rate, events float64, bulk int, gzip bool) sample {
	requests := events / float64(bulk)
	seconds := requests / rate
	inserts, merged := 12*seconds, events/2
	r := size.RequestAt(rate)
	spend := func(idle, micros float64) Usage {
		return Usage{Processor: time.Duration((idle*seconds + micros*1e-6) * 1e9)}
	}
	perEvent := size.Gateway
	body := size.EventBytes
	if gzip {
		perEvent, body = perEvent+size.Gzip, size.Bytes.Gzip
	}
	s := sample{
		seconds:  seconds,
		sent:     load.Report{Accepted: int64(events), Seconds: seconds},
		counters: counters{Inserts: inserts, MergedRows: merged, Received: events * size.Insert},
		logged:   events*size.Kafka + requests*r.BatchBytes,
		gateway:  spend(known.Idle.Gateway, events*perEvent+requests*r.Gateway),
		broker:   spend(known.Idle.Broker, events*size.Broker+requests*r.Broker),
		consumer: spend(known.Idle.Consumer,
			events*size.Consumer+requests*r.Consumer+inserts*known.Insert.Consumer),
		engine: spend(known.Idle.ClickHouse, events*size.Row+merged*size.Merge+inserts*known.Insert.ClickHouse),
	}
	s.sent.Requests, s.sent.Bytes = int64(requests), int64(events*size.EventBytes)
	s.gateway.Read = uint64(events*body + requests*size.Bytes.Request)
	s.gateway.Written = uint64(requests*size.Answer + s.logged)
	return s
}

// From samples that known figures give, fit finds these figures.
func TestFit(t *testing.T) {
	t.Parallel()
	idle := func(cores float64) Usage { return Usage{Processor: time.Duration(cores * 10e9)} }
	s := &stages{idle: sample{
		seconds: 10, gateway: idle(0.001), broker: idle(0.002), consumer: idle(0.003), engine: idle(0.01),
	}}
	for _, size := range known.Sizes {
		of := sized{
			paced: made(size, 200, 100_000, 100, false),
			bulk:  made(size, 250, 500_000, 1000, false), gzip: made(size, 250, 200_000, 1000, true),
			rows: 900_000, diskBytes: 900_000 * size.Disk,
		}
		for _, rate := range []float64{100, 500, 3000, 20_000} {
			of.singles = append(of.singles, made(size, rate, rate*5, 1, false))
		}
		of.merge = sample{seconds: 2, counters: counters{MergedRows: 900_000},
			engine: Usage{Processor: time.Duration((2*known.Idle.ClickHouse + 0.9*size.Merge) * 1e9)}}
		s.bySize = append(s.bySize, of)
	}
	f := s.fit()
	require.NoError(t, f.Check())
	near := func(want, got float64, what string) {
		t.Helper()
		require.InEpsilon(t, want, got, 0.1, what)
	}
	near(known.Insert.ClickHouse, f.Insert.ClickHouse, "ClickHouse's insert")
	for i, want := range known.Sizes {
		is := f.Sizes[i]
		near(want.Gateway, is.Gateway, "gateway")
		near(want.Consumer, is.Consumer, "consumer")
		near(want.Row, is.Row, "row")
		near(want.Merge, is.Merge, "merge")
		near(want.Kafka, is.Kafka, "bytes in Kafka")
		require.Len(t, is.Requests, 4)
		for i, r := range want.Requests {
			near(r.Gateway, is.Requests[i].Gateway, "gateway's request")
			near(r.Broker, is.Requests[i].Broker, "broker's request")
			// Few small batches cannot be told from inserts. Their sum can.
			consumer := func(f plan.Figures, batch float64) float64 { return r.PerSecond*batch + 12*f.Insert.Consumer }
			near(consumer(known, r.Consumer), consumer(f, is.Requests[i].Consumer), "consumer's batches and inserts")
			near(r.BatchBytes, is.Requests[i].BatchBytes, "bytes of a batch")
			near(r.BatchBytes, is.Requests[i].SentBytes, "bytes to Kafka")
		}
		near(want.Disk, is.Disk, "bytes on disk")
		near(want.Insert, is.Insert, "bytes of an insert")
		near(want.Answer, is.Answer, "bytes of an answer")
		near(want.Bytes.Request, is.Bytes.Request, "bytes of a request")
	}
}

// A machine that cannot send faster has fewer points, not one rate twice.
func TestFitOnASlowMachine(t *testing.T) {
	t.Parallel()
	size := known.Sizes[0]
	s := &stages{idle: sample{seconds: 10}}
	for range 2 {
		singles := []sample{}
		for _, rate := range []float64{100, 500, 900, 910} {
			singles = append(singles, made(size, rate, rate*5, 1, false))
		}
		s.bySize = append(s.bySize, sized{
			singles: singles,
			paced:   made(size, 50, 10_000, 100, false),
			bulk:    made(size, 50, 10_000, 1000, false), gzip: made(size, 50, 10_000, 1000, true),
			merge: sample{seconds: 1}, rows: 35_000, diskBytes: 1e6,
		})
	}
	s.bySize[1].bulk.sent.Bytes *= 7
	f := s.fit()
	require.NoError(t, f.Check())
	require.Len(t, f.Sizes[0].Requests, 3)
}
