package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// TestWrongClocks: records come from gateways whose clocks are an hour, 100 days and 50 years off. Every event is a row that
// retention keeps, what was corrected is counted, and no figure is negative.
func TestWrongClocks(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 1)
	admin := free(t)
	p.startConsumer("--admin-addr", admin)
	corrected := 0
	offs := []time.Duration{0}
	for _, off := range []time.Duration{time.Hour, 100 * 24 * time.Hour, 50 * 365 * 24 * time.Hour} {
		offs = append(offs, off, -off)
	}
	for _, off := range offs {
		const n = 10
		records := make([]kafka.Record, n)
		for i := range records {
			records[i] = p.event(fmt.Sprintf(`{"message":"clock off by %s"}`, off))
			for h := range records[i].Headers {
				if header := &records[i].Headers[h]; header.Key == "received-at" {
					header.Value = fmt.Append(nil, time.Now().Add(off).UnixMilli())
				}
			}
		}
		p.produce(0, records...)
		if off > 0 || off < -time.Hour {
			corrected += n
		}
	}
	p.exactly(10 * len(offs))
	if n := p.scalar("SELECT count() FROM events WHERE received_at BETWEEN now() - INTERVAL 2 HOUR AND now() + INTERVAL 1 MINUTE"); n != uint64(10*len(offs)) {
		t.Errorf("%d events have a time of receipt that makes sense", n)
	}
	p.eventually("the corrections counted", func() bool {
		return metric(t, "http://"+admin, "sluice_consumer_received_at_corrected_total") == float64(corrected)
	})
	for _, name := range []string{"sluice_consumer_lag_seconds", "sluice_consumer_end_to_end_seconds_sum"} {
		if v := metric(t, "http://"+admin, name); v < 0 {
			t.Errorf("%s is %v", name, v)
		}
	}
}
