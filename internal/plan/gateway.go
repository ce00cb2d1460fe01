package plan

// Gateway is what the gateways take.
type Gateway struct {
	Instances int `json:"instances"`
	// Needed is how many the load needs, at least two.
	Needed int `json:"needed"`
	// EventMicros is the processor time of an event at the limit of a gateway, with its part of the request. It decides
	// how many gateways are needed.
	EventMicros float64 `json:"event_us"`
	// BusyCores is how many cores are busy in all gateways at the peak. A gateway far below its limit takes more for a
	// request, because requests share fewer record batches.
	BusyCores   float64 `json:"busy_cores"`
	Requests    float64 `json:"requests_per_second"`
	MemoryBytes float64 `json:"memory_bytes_each"`
}

// The memory of a gateway: --max-inflight-bytes and --max-body-bytes by default, what 10,000 connections took, and the
// program itself.
const (
	gatewayBounds      = 2 * 256 << 20
	gatewayConnections = 222 << 20
	gatewayProgram     = 64 << 20
	gatewayMemory      = gatewayBounds + gatewayConnections + gatewayProgram
)

// gatewayMicros is what one event takes at a gateway, with its part of a request.
func (p *Plan) gatewayMicros(request RequestCost) float64 {
	micros := p.event.Gateway + request.Gateway*p.event.Request/float64(p.Load.Bulk)
	if p.Load.Gzip {
		micros += p.event.Gzip
	}
	return micros
}

// gateway reckons
//
//	events at the peak × (µs an event + µs a request ÷ events a request)  ÷  usable cores of a gateway
func (p *Plan) gateway() {
	g := &p.Gateway
	g.EventMicros = p.gatewayMicros(p.Figures.busiest())
	g.Needed = count(p.Load.peak()*g.EventMicros*micro/p.Load.usable(p.Load.Cores), least)
	g.Instances = fixed(p.Load.Gateways, g.Needed)
	g.Requests = p.Load.peak() / float64(p.Load.Bulk)
	g.BusyCores = p.Load.peak()*p.gatewayMicros(p.requestHere())*micro + float64(g.Instances)*p.Figures.Idle.Gateway
	g.MemoryBytes = gatewayMemory
}

// requestHere is what a request takes at the rate of one of the gateways.
func (p *Plan) requestHere() RequestCost {
	return p.Figures.RequestAt(p.Gateway.Requests / float64(p.Gateway.Instances))
}
