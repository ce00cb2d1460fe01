package plan

// Network is bytes a second at the peak.
type Network struct {
	FromClients float64 `json:"from_clients"`
	ToClients   float64 `json:"to_clients"`
	// ToKafka is from the gateways, Replication between brokers, FromKafka to the consumers.
	ToKafka     float64 `json:"to_kafka"`
	Replication float64 `json:"kafka_replication"`
	FromKafka   float64 `json:"from_kafka"`
	// ToClickHouse is from the consumers, Replicas between the copies of a shard.
	ToClickHouse float64 `json:"to_clickhouse"`
	Replicas     float64 `json:"clickhouse_replicas"`
}

// Inside is what passes between machines.
func (n Network) Inside() float64 {
	return n.ToKafka + n.Replication + n.FromKafka + n.ToClickHouse + n.Replicas
}

// network reckons events at the peak × bytes of an event on each way.
func (p *Plan) network() {
	l, n := p.Load, &p.Network
	n.FromClients = l.peak() * p.bodyBytes()
	n.ToClients = p.Gateway.Requests * p.event.Answer
	n.ToKafka = l.peak() * p.Kafka.EventBytes
	n.Replication = n.ToKafka * float64(l.Replication-1)
	n.FromKafka = n.ToKafka
	n.ToClickHouse = l.peak() * p.event.Insert
	n.Replicas = l.peak() * p.event.Disk * float64(l.Replicas-1)
}

// bodyBytes is an event's part of its request, with its part of the request's head.
func (p *Plan) bodyBytes() float64 {
	body := p.Load.EventBytes
	if p.Load.Gzip {
		body = p.event.Bytes.Gzip
	}
	return body + p.event.Bytes.Request/float64(p.Load.Bulk)
}
