package plan

// network reckons events at the peak × bytes of an event on each way.
func (p *Plan) network() {
	l, n := p.Load, &p.Network
	n.FromClients = l.peak() * p.bodyBytes()
	n.ToClients = p.Gateway.Requests * p.event.Answer
	n.ToKafka = l.peak() * p.sentBytes()
	n.FromKafka = l.peak() * p.Kafka.EventBytes
	n.Replication = n.FromKafka * float64(l.Replication-1)
	n.ToClickHouse = l.peak() * p.event.Insert
	n.Replicas = l.peak() * p.event.Disk * float64(l.Replicas-1)
}

// sentBytes is an event on the way to Kafka, with its part of the produce request.
func (p *Plan) sentBytes() float64 {
	return p.event.Kafka + p.requestHere().SentBytes/float64(p.Load.Bulk)
}

// bodyBytes is an event's part of its request, with its part of the request's head.
func (p *Plan) bodyBytes() float64 {
	body := p.Load.EventBytes
	if p.Load.Gzip {
		body = p.event.Bytes.Gzip
	}
	return body + p.event.Request/float64(p.Load.Bulk)
}
