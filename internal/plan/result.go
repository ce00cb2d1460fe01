package plan

import "fmt"

// Plan is what a load takes. Rates are those of the peak unless a field says otherwise.
type Plan struct {
	Load       Load       `json:"load"`
	Seconds    Seconds    `json:"seconds"`
	Gateway    Gateway    `json:"gateway"`
	Kafka      Kafka      `json:"kafka"`
	Consumer   Consumer   `json:"consumer"`
	ClickHouse ClickHouse `json:"clickhouse"`
	Network    Network    `json:"network"`
	Cost       Cost       `json:"cost"`
	// Why has the sentence that gives each number.
	Why      []Line    `json:"why"`
	Warnings []Warning `json:"warnings"`
	Figures  Figures   `json:"figures"`

	event SizeCost
}

// Seconds are the times of the load.
type Seconds struct {
	Retention      float64 `json:"retention"`
	TopicRetention float64 `json:"topic_retention"`
	Outage         float64 `json:"outage"`
}

// Line is a number of the plan with the sentence that gives it.
type Line struct {
	Part string `json:"part"`
	What string `json:"what"`
	// Value is the number with its unit, as text.
	Value string `json:"value"`
	Why   string `json:"why"`
}

// Warning is something that the plan carries out but that is likely a mistake.
type Warning struct {
	// Code is constant, for scripts.
	Code string `json:"code"`
	Text string `json:"text"`
}

// Needs is how many machines each thing alone would need.
type Needs struct {
	Cores   int `json:"for_cores"`
	Disk    int `json:"for_disk"`
	Network int `json:"for_network"`
}

func (n Needs) most() int { return max(n.Cores, n.Disk, n.Network) }

func (n Needs) String() string {
	return fmt.Sprintf("cores need %d, disk %d, network %d", n.Cores, n.Disk, n.Network)
}

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

// Kafka is what the topic takes.
type Kafka struct {
	Partitions int `json:"partitions"`
	// NeededPartitions is what the load needs.
	NeededPartitions int     `json:"needed_partitions"`
	Brokers          int     `json:"brokers"`
	Needs            Needs   `json:"needs"`
	BusyCores        float64 `json:"busy_cores"`
	// EventBytes is an event in the log: compressed, with its part of a record batch.
	EventBytes float64 `json:"event_bytes"`
	// DiskBytes is all copies, without the fifth that stays free.
	DiskBytes   float64 `json:"disk_bytes"`
	MemoryBytes float64 `json:"memory_bytes_each"`
}

// Consumer is what the consumers take.
type Consumer struct {
	Instances int `json:"instances"`
	// Needed is how many the load needs, at least two.
	Needed int `json:"needed"`
	// EventMicros is the processor time of an event.
	EventMicros float64 `json:"event_us"`
	BusyCores   float64 `json:"busy_cores"`
	// Inserts is inserts a second over all consumers.
	Inserts     float64 `json:"inserts_per_second"`
	MemoryBytes float64 `json:"memory_bytes_each"`
	// CatchUp is how long consumers and ClickHouse need for what an outage left, in seconds, at the average rate and
	// with all of their cores; -1 if they never catch up.
	CatchUp float64 `json:"catch_up_seconds"`
}

// ClickHouse is what ClickHouse takes.
type ClickHouse struct {
	Shards int `json:"shards"`
	// NeededShards is what the load needs.
	NeededShards int   `json:"needed_shards"`
	Needs        Needs `json:"needs"`
	Replicas     int   `json:"replicas"`
	Servers      int   `json:"servers"`
	// MergePasses is how many merges read a row in all.
	MergePasses float64 `json:"merge_passes"`
	// BusyCores is of one copy of all shards at the peak, without queries. InsertCores and MergeCores are its parts.
	BusyCores   float64 `json:"busy_cores"`
	InsertCores float64 `json:"insert_cores"`
	MergeCores  float64 `json:"merge_cores"`
	// RowBytes is a row in merged parts, DiskBytes all rows in all copies, without the fifth that stays free.
	RowBytes    float64 `json:"row_bytes"`
	DiskBytes   float64 `json:"disk_bytes"`
	MemoryBytes float64 `json:"memory_bytes_each"`
}

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

// Cost is in the currency of the prices.
type Cost struct {
	Cores  float64 `json:"cores"`        // of all machines
	Memory float64 `json:"memory_bytes"` // of all machines
	Disk   float64 `json:"disk_bytes"`   // with the fifth that stays free

	CoresMonth   float64 `json:"cores_month"`
	MemoryMonth  float64 `json:"memory_month"`
	DiskMonth    float64 `json:"disk_month"`
	NetworkMonth float64 `json:"network_month"`
	Month        float64 `json:"month"`
	// PerMillion is Month divided by the millions of events in 30 days at the average rate.
	PerMillion float64 `json:"per_million_events"`
}
