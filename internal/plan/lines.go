package plan

import "fmt"

// lines are the plan's numbers with the sentences that give them.
func (p *Plan) lines() []Line {
	var all []Line
	for _, part := range []struct {
		name string
		add  func(add adder)
	}{
		{"load", p.loadLines}, {"gateway", p.gatewayLines}, {"kafka", p.kafkaLines},
		{"consumer", p.consumerLines}, {"clickhouse", p.clickhouseLines}, {"network", p.networkLines},
		{"cost", p.costLines},
	} {
		part.add(func(what, value, why string, args ...any) {
			all = append(all, Line{Part: part.name, What: what, Value: value, Why: fmt.Sprintf(why, args...)})
		})
	}
	return all
}

type adder func(what, value, why string, args ...any)

func (p *Plan) loadLines(add adder) {
	l := p.Load
	add("events at the peak", short(l.peak())+"/s", "%s/s on average × peak factor %s",
		short(l.EventsPerSecond), exact(l.PeakFactor))
	add("requests at the peak", short(p.Gateway.Requests)+"/s", "%s events a request", exact(float64(l.Bulk)))
}

func (p *Plan) gatewayLines(add adder) {
	g, l := p.Gateway, p.Load
	gzip := ""
	if l.Gzip {
		gzip = fmt.Sprintf(" + %s µs to inflate it", short(p.event.Gzip))
	}
	add("µs an event", short(g.EventMicros), "%s µs an event of %s%s + %s µs a request ÷ %d events",
		short(p.event.Gateway), bytes(l.EventBytes), gzip, short(p.event.busiest().Gateway), l.Bulk)
	add("gateways", howMany(g.Instances, l.Gateways), "%s/s × %s µs = %s cores; ÷ %s usable of %s cores (headroom %s); "+
		"at least %d, so that one may be down; %d needed",
		short(l.peak()), short(g.EventMicros), short(l.peak()*g.EventMicros*micro), short(l.usable(l.Cores)),
		exact(l.Cores), exact(l.Headroom), least, g.Needed)
	add("busy cores, all", short(g.BusyCores), "at %s requests/s a gateway, where a request takes %s µs",
		short(g.Requests/float64(g.Instances)), short(p.requestHere().Gateway))
	add("memory, each", bytes(g.MemoryBytes),
		"--max-inflight-bytes + --max-body-bytes (%s) + %s for 10000 connections + %s", bytes(gatewayBounds),
		bytes(gatewayConnections), bytes(gatewayProgram))
}

func (p *Plan) kafkaLines(add adder) {
	k, l := p.Kafka, p.Load
	add("bytes an event in the log", bytes(k.EventBytes), "%s in a large bulk + %s a request ÷ %d events",
		bytes(p.event.Kafka), bytes(p.requestHere().BatchBytes), l.Bulk)
	add("partitions", howMany(k.Partitions, l.Partitions), "%s/s ÷ %s/s a partition, or %s cores of consumers ÷ %s "+
		"(headroom %s), whichever is more, up to a multiple of %d; %d needed", bytes(l.peak()*k.EventBytes),
		bytes(partitionBytes), short(p.consumerWork()), short(1-l.Headroom), exact(l.Headroom), partitionStep,
		k.NeededPartitions)
	add("brokers", fmt.Sprint(k.Brokers), "%s; at least %d for %d copies", k.Needs, p.leastBrokers(), l.Replication)
	add("busy cores, all", short(k.BusyCores), "every copy is written once; measured on the embedded broker")
	add("disk, all copies", bytes(k.DiskBytes), "%s/s × %s × %s × %d copies", short(l.EventsPerSecond),
		bytes(k.EventBytes), span(p.Seconds.TopicRetention), l.Replication)
	add("memory, each", bytes(k.MemoryBytes), "%s for the program + %d s of writes in the page cache",
		bytes(brokerHeap), brokerCache)
}

func (p *Plan) consumerLines(add adder) {
	c, l := p.Consumer, p.Load
	add("inserts", short(c.Inserts)+"/s", "%d by default, or as many as blocks of %s rows or %s need", DefaultInserts,
		short(DefaultBatchRows), bytes(DefaultBatchBytes))
	add("µs an event", short(c.EventMicros), "%s µs an event + %s µs a record batch ÷ %d events",
		short(p.event.Consumer), short(p.requestHere().Consumer), l.Bulk)
	add("consumers", howMany(c.Instances, l.Consumers), "%s/s × %s µs + %d shards × %s inserts/s × %s = %s cores; ÷ %s "+
		"usable of %s cores; at least %d; %d needed", short(l.peak()), short(c.EventMicros), p.ClickHouse.Shards,
		short(c.Inserts), spent(p.Figures.Insert.Consumer), short(p.consumerWork()), short(l.usable(l.Cores)),
		exact(l.Cores), least, c.Needed)
	add("busy cores, all", short(c.BusyCores), "with %s cores of an idle consumer each", short(p.Figures.Idle.Consumer))
	add("memory, each", bytes(c.MemoryBytes), "measured with ClickHouse away and the default --buffer-bytes")
	caught := "never"
	if c.CatchUp != never {
		caught = span(c.CatchUp)
	}
	add("catching up", caught, "what an outage of %s left, at the average rate, with all cores of consumers and "+
		"ClickHouse", span(p.Seconds.Outage))
}

func (p *Plan) clickhouseLines(add adder) {
	c, l := p.ClickHouse, p.Load
	add("merges a row", short(c.MergePasses), "log(parts that become one) ÷ log(%d)", mergeFactor)
	add("busy cores, a copy", short(c.BusyCores), "%s/s × (%s µs a row + %s merges × %s µs) + %d shards × %s inserts/s × "+
		"%s", short(l.peak()), short(p.event.Row), short(c.MergePasses), short(p.event.Merge), c.Shards,
		short(p.Consumer.Inserts), spent(p.Figures.Insert.ClickHouse))
	add("shards", howMany(c.Shards, l.Shards), "%s; usable are %s of %s cores and %s of %s of disk", c.Needs,
		short(l.usable(l.ServerCores)), exact(l.ServerCores), bytes(l.ServerDisk*diskFill), bytes(l.ServerDisk))
	add("servers", fmt.Sprint(c.Servers), "%d shards × %d replicas", c.Shards, c.Replicas)
	add("disk, all copies", bytes(c.DiskBytes), "%s/s × %s a row × %s × %d replicas", short(l.EventsPerSecond),
		bytes(c.RowBytes), span(p.Seconds.Retention), c.Replicas)
	add("memory, each", bytes(c.MemoryBytes), "%s a core, which ClickHouse advises", bytes(memoryPerCore))
}

func (p *Plan) networkLines(add adder) {
	n, l := p.Network, p.Load
	add("from clients", bytes(n.FromClients)+"/s", "%s/s × %s an event with its part of the request", short(l.peak()),
		bytes(p.bodyBytes()))
	add("to clients", bytes(n.ToClients)+"/s", "%s requests/s × %s an answer", short(p.Gateway.Requests),
		bytes(p.event.Answer))
	add("gateways to Kafka", bytes(n.ToKafka)+"/s", "%s/s × %s an event with its part of the produce request",
		short(l.peak()), bytes(p.sentBytes()))
	add("between brokers", bytes(n.Replication)+"/s", "%s/s × %s × %d further copies", short(l.peak()),
		bytes(p.Kafka.EventBytes), l.Replication-1)
	add("Kafka to consumers", bytes(n.FromKafka)+"/s", "%s/s × %s", short(l.peak()), bytes(p.Kafka.EventBytes))
	add("consumers to ClickHouse", bytes(n.ToClickHouse)+"/s", "%s/s × %s a row", short(l.peak()),
		bytes(p.event.Insert))
	add("between replicas", bytes(n.Replicas)+"/s", "%s/s × %s a row × %d further copies", short(l.peak()),
		bytes(p.event.Disk), l.Replicas-1)
}

func (p *Plan) costLines(add adder) {
	c, l := p.Cost, p.Load
	add("cores", short(c.Cores), "%d gateways and %d consumers of %s, %d brokers and %d ClickHouse servers of %s",
		p.Gateway.Instances, p.Consumer.Instances, exact(l.Cores), p.Kafka.Brokers, p.ClickHouse.Servers,
		exact(l.ServerCores))
	add("memory", bytes(c.Memory), "of the same")
	add("disk", bytes(c.Disk), "both disks ÷ %s", exact(diskFill))
	add("30 days", money(c.Month), "cores %s + memory %s + disk %s + network %s", money(c.CoresMonth),
		money(c.MemoryMonth), money(c.DiskMonth), money(c.NetworkMonth))
	add("per million events", money(c.PerMillion), "÷ %s million events", short(l.EventsPerSecond*monthHours*3600/1e6))
}

// howMany marks a number that was given.
func howMany(n, given int) string {
	if given > 0 {
		return fmt.Sprintf("%d (given)", n)
	}
	return fmt.Sprint(n)
}
