package e2e

import (
	"flag"
	"strconv"
	"testing"
	"time"
)

var drains = flag.Int("drains", 2, "how often TestDrainsUnderLoad stops the gateway")

// TestDrainsUnderLoad: a gateway is told to stop while clients send, and another takes its place, again and again. Every exit is 0,
// and a client that sends again what was answered 503 or not at all sees no loss: everything is a row, once.
//
//	go test ./internal/e2e -run TestDrainsUnderLoad -v -drains 50
func TestDrainsUnderLoad(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 6)
	g := p.startGateway("127.0.0.1:0")
	addr := p.url[len("http://"):]
	p.startConsumer()
	// The bulks end after a time: what is under way then is still sent. The singles end after a number of events, so that
	// there are some at the last stop, however slow the machine is.
	seconds := 5 + 2**drains
	duration := (time.Duration(seconds) * time.Second).String()
	loads := []*program{
		start(t, "sluice", p.load("--give-up", "5m",
			"--events", strconv.Itoa(400*seconds), "--rate", "400", "--connections", "32")...),
		start(t, "sluice", p.load("--give-up", "5m",
			"--duration", duration, "--rate", "2000", "--bulk", "20", "--connections", "8")...),
	}
	for i := range *drains {
		before := p.records(p.name)
		p.eventually("events on the topic", func() bool { return p.records(p.name) > before+500 })
		if code := g.term(); code != 0 {
			t.Fatalf("exit %d at the %d. stop\n%s", code, i+1, g.output())
		}
		g = p.startGateway(addr)
	}
	for _, load := range loads {
		if code := load.wait(time.Duration(seconds)*time.Second + 5*time.Minute); code != 0 {
			t.Errorf("load ended with %d", code)
		}
		t.Log(load.output())
	}
}
