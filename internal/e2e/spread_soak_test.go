package e2e

import (
	"context"
	"flag"
	"sync"
	"testing"
	"time"
)

var (
	soakSpread     = flag.Duration("soak.spread", 0, "how long TestSpreadSoak watches one consumer, and then three; 0: it is skipped")
	soakSpreadRate = flag.String("soak.spread.rate", "3000", "events a second that TestSpreadSoak sends")
)

// TestSpreadSoak sends steadily while one consumer works, and then three, and prints how many inserts a second there were and how
// many active parts: three consumers make as many inserts as one, and parts stay under 300.
//
//	go test ./internal/e2e -run TestSpreadSoak -v -plain -timeout 1h -soak.spread 5m
func TestSpreadSoak(t *testing.T) {
	if *soakSpread == 0 {
		t.Skip("takes twice as long as it is told to: set -soak.spread 5m")
	}
	const partitions = 12
	p := newPipeline(t, partitions)
	p.startGateway("127.0.0.1:0")
	var admins []string
	var members []*program
	join := func() {
		admin := free(t)
		members = append(members, p.consumerAsItIs("--admin-addr", admin))
		admins = append(admins, "http://"+admin)
	}
	inserts := func() (n float64) {
		for _, a := range admins {
			n += metric(t, a, "sluice_consumer_insert_duration_seconds_count")
		}
		return n
	}
	// watch takes the set time, a fifth of it not measured
	watch := func(what string) (perSecond float64) {
		settle, cancel := context.WithTimeout(t.Context(), *soakSpread/5)
		_, _ = p.parts(settle)
		cancel()
		before, start := inserts(), time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), *soakSpread-*soakSpread/5)
		defer cancel()
		least, most := p.parts(ctx)
		perSecond = (inserts() - before) / time.Since(start).Seconds()
		t.Logf("%s: %.2f inserts a second, %d to %d active parts, %d at the end", what, perSecond, least, most, p.scalar(activeParts))
		if most >= 300 {
			t.Errorf("%s: %d active parts", what, most)
		}
		return perSecond
	}
	join()
	p.together(partitions, members...)
	var load sync.WaitGroup
	load.Go(func() {
		l := start(t, "sluice", "load", "--url", p.url, "--key", key, "--rate", *soakSpreadRate, "--bulk", "50", "--duration", (2**soakSpread + 20*time.Second).String())
		if code := l.wait(2**soakSpread + 2*time.Minute); code != 0 {
			t.Errorf("load: %d\n%s", code, l.output())
		}
	})
	one := watch("one consumer")
	join()
	join()
	p.together(partitions, members...)
	three := watch("three consumers")
	load.Wait()
	if three > 1.1*one {
		t.Errorf("three consumers make %.2f inserts a second, one made %.2f", three, one)
	}
	p.stored(uint64(p.records(p.name)))
}

// activeParts counts those that a query reads, over all months.
const activeParts = "SELECT count() FROM system.parts WHERE active AND database = currentDatabase() AND table = 'events_raw'"

// parts looks at the number of active parts twice a second until ctx ends.
func (p *pipeline) parts(ctx context.Context) (least, most uint64) {
	p.t.Helper()
	for pause(ctx, 500*time.Millisecond) {
		n := p.scalar(activeParts)
		if most = max(most, n); least == 0 || n < least {
			least = n
		}
	}
	return least, most
}
