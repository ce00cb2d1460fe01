package plan

import "math"

const (
	// mergeFactor is how many parts one merge joins. With it, MergePasses gives the 1.0 to 1.7 merges a row that the
	// benchmark saw while 370 parts came in.
	mergeFactor = 32
	// largestPart is the size up to which ClickHouse merges parts, in bytes (max_bytes_to_merge_at_max_space_in_pool).
	largestPart = 150 << 30
	// memoryPerCore is ClickHouse's own advice for servers.
	memoryPerCore = 4 << 30
	daySeconds    = 86_400
)

// MergePasses returns how many merges read a row, when rows come in so many parts that are merged into one.
//
//	log(parts) ÷ log(32)
func MergePasses(parts float64) float64 {
	return math.Log(max(parts, 1)) / math.Log(mergeFactor)
}

// passes is for a table by day: rows of a day are merged into one part, or into parts of 150 GiB.
func (p *Plan) passes(shards int) float64 {
	inserted := p.Load.peak() / p.inserts() / float64(shards) // rows of one part
	day := p.Load.EventsPerSecond * daySeconds / float64(shards)
	return MergePasses(min(day, largestPart/p.event.Disk) / inserted)
}

// clickhouseMicros is what a row takes with its merges.
func (p *Plan) clickhouseMicros(passes float64) float64 { return p.event.Row + passes*p.event.Merge }

// clickhouse reckons shards as the largest of what cores, disk and network need.
func (p *Plan) clickhouse() {
	c, l := &p.ClickHouse, p.Load
	c.Needs = p.shardNeeds()
	c.NeededShards = c.Needs.most()
	c.Shards = p.shards()
	c.Replicas, c.Servers = l.Replicas, c.Shards*l.Replicas
	c.MergePasses = p.passes(c.Shards)
	c.InsertCores = l.peak()*p.event.Row*micro + float64(c.Shards)*p.Consumer.Inserts*p.Figures.Insert.ClickHouse*micro
	c.MergeCores = l.peak() * c.MergePasses * p.event.Merge * micro
	c.BusyCores = c.InsertCores + c.MergeCores + float64(c.Shards)*p.Figures.Idle.ClickHouse
	c.RowBytes, c.DiskBytes = p.event.Disk, p.copyBytes()*float64(l.Replicas)
	c.MemoryBytes = l.ServerCores * memoryPerCore
	p.Consumer.CatchUp = p.catchUp()
}

// copyBytes is the disk that one copy of all rows takes.
func (p *Plan) copyBytes() float64 {
	return p.Load.EventsPerSecond * p.event.Disk * p.Seconds.Retention
}

func (p *Plan) shardNeeds() Needs {
	l := p.Load
	return Needs{
		Cores:   p.shardsForWork(),
		Disk:    count(p.copyBytes()/(l.ServerDisk*diskFill), 1),
		Network: count(l.peak()*p.event.Insert/l.usable(l.NetworkBytes), 1),
	}
}

func (p *Plan) shards() int { return fixed(p.Load.Shards, p.shardNeeds().most()) }

// shardsForWork reckons
//
//	rows at the peak × (µs a row + merges × µs a merged row)  ÷  (usable cores of a server − inserts × µs an insert)
//
// Every insert is split over all shards, so each shard has all inserts. They count as at most half of the usable cores;
// a warning says when they are more.
func (p *Plan) shardsForWork() int {
	usable := p.Load.usable(p.Load.ServerCores)
	perInsert := p.inserts() * p.Figures.Insert.ClickHouse * micro
	left := max(usable-perInsert, usable/2)
	return count(p.Load.peak()*p.clickhouseMicros(p.passes(1))*micro/left, 1)
}
