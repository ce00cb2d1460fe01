package e2e

import (
	"flag"
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
	// Singles and bulks, without an end of their own: what is under way when it comes is still sent.
	seconds := 5 + 2**drains
	duration := (time.Duration(seconds) * time.Second).String()
	loads := []*program{
		start(t, "sluice", p.load("--duration", duration, "--rate", "1000", "--connections", "32", "--give-up", "5m")...),
		start(t, "sluice", p.load("--duration", duration, "--rate", "2000", "--bulk", "20", "--connections", "8", "--give-up", "5m")...),
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
