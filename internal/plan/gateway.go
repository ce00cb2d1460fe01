package plan

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
	micros := p.event.Gateway + request.Gateway/float64(p.Load.Bulk)
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
	g.EventMicros = p.gatewayMicros(p.event.busiest())
	g.Needed = count(p.Load.peak()*g.EventMicros*micro/p.Load.usable(p.Load.Cores), least)
	g.Instances = fixed(p.Load.Gateways, g.Needed)
	g.Requests = p.Load.peak() / float64(p.Load.Bulk)
	g.BusyCores = p.Load.peak()*p.gatewayMicros(p.requestHere())*micro + float64(g.Instances)*p.Figures.Idle.Gateway
	g.MemoryBytes = gatewayMemory
}

// requestHere is what a request takes at the rate of one of the gateways.
func (p *Plan) requestHere() RequestCost {
	return p.event.RequestAt(p.Gateway.Requests / float64(p.Gateway.Instances))
}
