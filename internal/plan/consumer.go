package plan

// Bounds of an insert, which are the consumer's settings by default: --inserts-per-second, --batch-rows and
// --batch-bytes.
const (
	DefaultInserts    = 12
	DefaultBatchRows  = 100_000
	DefaultBatchBytes = 16 << 20
)

// consumerMemory is what a consumer takes while ClickHouse is away: 465 MB were measured with the default
// --buffer-bytes.
const consumerMemory = 512 << 20

// inserts is how many inserts a second all consumers make: 12 by default, and more once blocks are full.
func (p *Plan) inserts() float64 {
	return max(DefaultInserts, p.Load.peak()/DefaultBatchRows, p.Load.peak()*p.Load.EventBytes/DefaultBatchBytes)
}

// consumerWork is the consumers' busy cores:
//
//	events at the peak × (µs an event + µs a record batch ÷ events a request) + shards × inserts × µs an insert
//
// Each insert is one for each shard.
func (p *Plan) consumerWork() float64 {
	inserts := float64(p.shards()) * p.inserts()
	return p.Load.peak()*p.consumerMicros()*micro + inserts*p.Figures.Insert.Consumer*micro
}

func (p *Plan) consumerMicros() float64 {
	return p.event.Consumer + p.requestHere().Consumer/float64(p.Load.Bulk)
}

// never stands for a time that does not end.
const never = -1

func (p *Plan) consumer() {
	c := &p.Consumer
	c.EventMicros = p.consumerMicros()
	c.Inserts = p.inserts()
	work := p.consumerWork()
	c.Needed = count(work/p.Load.usable(p.Load.Cores), least)
	c.Instances = fixed(p.Load.Consumers, c.Needed)
	c.BusyCores = work + float64(c.Instances)*p.Figures.Idle.Consumer
	c.MemoryBytes = consumerMemory
}

// catchUp reckons
//
//	outage × average rate ÷ (rate with all cores − average rate)
//
// with the smaller of the rates that consumers and ClickHouse reach.
func (p *Plan) catchUp() float64 {
	l := p.Load
	cores := min(float64(p.Consumer.Instances)*l.Cores, float64(p.Kafka.Partitions))
	rate := min(cores/(p.event.Consumer*micro),
		float64(p.ClickHouse.Shards)*l.ServerCores/(p.clickhouseMicros(p.ClickHouse.MergePasses)*micro))
	left := p.Seconds.Outage * l.EventsPerSecond
	if left == 0 {
		return 0
	}
	if rate <= l.EventsPerSecond {
		return never
	}
	return left / (rate - l.EventsPerSecond)
}
