package plan

const (
	monthHours = 30 * 24
	gib        = 1 << 30
	gb         = 1e9
)

func (p *Plan) cost() {
	c, l := &p.Cost, p.Load
	small := float64(p.Gateway.Instances + p.Consumer.Instances)
	servers := float64(p.Kafka.Brokers + p.ClickHouse.Servers)
	c.Cores = small*l.Cores + servers*l.ServerCores
	c.Memory = float64(p.Gateway.Instances)*p.Gateway.MemoryBytes + float64(p.Consumer.Instances)*p.Consumer.MemoryBytes +
		float64(p.Kafka.Brokers)*p.Kafka.MemoryBytes + float64(p.ClickHouse.Servers)*p.ClickHouse.MemoryBytes
	c.Disk = (p.Kafka.DiskBytes + p.ClickHouse.DiskBytes) / diskFill
	c.CoresMonth = c.Cores * l.CoreHour * monthHours
	c.MemoryMonth = c.Memory / gib * l.MemoryHour * monthHours
	c.DiskMonth = c.Disk / gb * l.DiskMonth
	seconds := float64(monthHours * 3600)
	c.NetworkMonth = p.Network.Inside() / l.PeakFactor * seconds / gb * l.Prices.Network
	c.Month = c.CoresMonth + c.MemoryMonth + c.DiskMonth + c.NetworkMonth
	c.PerMillion = c.Month / (l.EventsPerSecond * seconds / 1e6)
}
