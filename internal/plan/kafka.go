package plan

import "math"

const (
	// partitionBytes is what one partition carries well, in bytes a second. It keeps a partition movable and its
	// replicas in step; a partition can carry some times as much.
	partitionBytes = 10e6
	// partitionStep is what the number of partitions is a multiple of, so that 2, 3, 4, 6 or 12 consumers share them
	// evenly.
	partitionStep = 12
	// mostPartitions is the most that a topic of `sluice topics apply` has.
	mostPartitions = 10_000
	// brokerHeap is the memory of a broker's program, and brokerCache the seconds of writes that its page cache should
	// hold.
	brokerHeap  = 4 << 30
	brokerCache = 30
)

// logBytes is an event in the log.
//
//	bytes of an event in a large bulk + bytes that a request adds ÷ events a request
func (p *Plan) logBytes() float64 {
	return p.event.Kafka + p.requestHere().BatchBytes/float64(p.Load.Bulk)
}

// partitions reckons the larger of
//
//	bytes into the log at the peak ÷ 10 MB/s    and    cores of the consumers, because a partition uses one
//
// up to the next multiple of twelve.
func (p *Plan) partitions() {
	k := &p.Kafka
	k.EventBytes = p.logBytes()
	byBytes := p.Load.peak() * k.EventBytes / partitionBytes
	byCores := p.consumerWork() / (1 - p.Load.Headroom)
	k.NeededPartitions = partitionStep * count(max(byBytes, byCores)/partitionStep, 1)
	k.Partitions = fixed(p.Load.Partitions, k.NeededPartitions)
}

// kafka reckons brokers as the largest of what copies, disk, network and cores need.
func (p *Plan) kafka() {
	k, l := &p.Kafka, p.Load
	micros := p.event.Broker + p.requestHere().Broker/float64(l.Bulk)
	k.BusyCores = l.peak() * micros * micro * float64(l.Replication)
	k.DiskBytes = l.EventsPerSecond * k.EventBytes * p.Seconds.TopicRetention * float64(l.Replication)
	// Each copy comes in once. As much goes out: to the other copies, and to the consumers.
	in := l.peak() * k.EventBytes * float64(l.Replication)
	k.Needs = Needs{
		Cores:   count(k.BusyCores/l.usable(l.ServerCores), 1),
		Disk:    count(k.DiskBytes/(l.ServerDisk*diskFill), 1),
		Network: count(in/l.usable(l.NetworkBytes), 1),
	}
	k.Brokers = max(p.leastBrokers(), k.Needs.most())
	k.BusyCores += float64(k.Brokers) * p.Figures.Idle.Broker
	k.MemoryBytes = brokerHeap + math.Ceil(in*brokerCache/float64(k.Brokers))
}

// leastBrokers is one for a single copy. Otherwise it is three, so that the controllers have a majority when one is
// down, or as many as there are copies.
func (p *Plan) leastBrokers() int {
	if p.Load.Replication == 1 {
		return 1
	}
	return max(3, p.Load.Replication)
}
