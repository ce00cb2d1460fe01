package plan

import (
	"errors"
	"fmt"
	"math"
	"time"

	"sluice/internal/settings"
)

// Load is what a plan is made for. cmd/sluice embeds this struct as the flags of `sluice plan`, and the help texts are
// its manual.
type Load struct {
	Traffic
	Keeping
	Machines
	Fixed
	Prices
}

// Traffic is what clients send.
type Traffic struct {
	EventsPerSecond float64 `json:"events_per_second" name:"events-per-second" default:"0" placeholder:"R" help:"Events a second, on average over the day; above 0, at most 1000000000."`
	PeakFactor      float64 `json:"peak_factor" name:"peak-factor" default:"2" placeholder:"F" help:"The busiest minute's rate divided by the average; 1 to 1000. Machines are sized for the peak, disks for the average."`
	EventBytes      float64 `json:"event_bytes" name:"event-bytes" default:"1000" placeholder:"N" help:"Mean size of an event's JSON, in bytes; 1 to 1048576. The figures were measured at 200 and 1400 bytes; other sizes lie on the line through these."`
	Bulk            int     `json:"bulk" name:"bulk" default:"1" help:"Events per request, at most 10000. 1: single events."`
	Gzip            bool    `json:"gzip" name:"gzip" help:"Request bodies are compressed with gzip."`
}

// Keeping is how long events are kept, and in how many copies.
type Keeping struct {
	Retention      settings.Duration `json:"-" name:"retention" default:"90d" help:"How long ClickHouse keeps events; 1d to 18250d."`
	TopicRetention settings.Duration `json:"-" name:"topic-retention" default:"7d" help:"How long Kafka keeps events; 1h to 18250d."`
	Outage         settings.Duration `json:"-" name:"outage" default:"24h" help:"The longest outage of ClickHouse that must lose nothing; 0 to 18250d."`
	Replication    int               `json:"replication" name:"replication" default:"3" help:"Copies of each partition in Kafka; 1 to 100."`
	Replicas       int               `json:"replicas" name:"replicas" default:"2" help:"Copies of each row in ClickHouse; 1 to 100."`
}

// Machines are the sizes of the machines that carry the load.
type Machines struct {
	Headroom     float64 `json:"headroom" name:"headroom" default:"0.5" placeholder:"SHARE" help:"Share of every machine's cores and network that stays free at the peak; 0 to 0.9. It is what serves queries, catches up after an outage, and takes the work of a machine that is down."`
	Cores        float64 `json:"cores" name:"cores" default:"4" help:"Cores of a gateway or consumer; 0.1 to 1024."`
	ServerCores  float64 `json:"server_cores" name:"server-cores" default:"16" help:"Cores of a Kafka broker or ClickHouse server; 0.1 to 1024."`
	ServerDisk   float64 `json:"server_disk_bytes" name:"server-disk-bytes" default:"10000000000000" placeholder:"N" help:"Disk of a Kafka broker or ClickHouse server, in bytes; at least 1000000000. A fifth of it stays free."`
	NetworkBytes float64 `json:"network_bytes_per_second" name:"network-bytes" default:"1250000000" placeholder:"N" help:"Network of a machine in each direction, in bytes per second; at least 1000000. The default is 10 Gbit/s."`
}

// Fixed are numbers that the plan takes instead of reckoning them. 0: the plan reckons.
type Fixed struct {
	Partitions int `json:"partitions" name:"partitions" default:"0" help:"Partitions of the topic, at most 10000. 0: as many as are needed."`
	Gateways   int `json:"gateways" name:"gateways" default:"0" help:"Gateways, at most 10000. 0: as many as are needed, at least two."`
	Consumers  int `json:"consumers" name:"consumers" default:"0" help:"Consumers, at most 10000. 0: as many as are needed, at least two."`
	Shards     int `json:"shards" name:"shards" default:"0" help:"ClickHouse shards, at most 10000. 0: as many as are needed."`
}

// Prices are in any currency. Their defaults are round numbers and no vendor's.
type Prices struct {
	CoreHour   float64 `json:"price_core_hour" name:"price-core-hour" default:"0.04" placeholder:"P" help:"Price of a core for an hour, in any currency."`
	MemoryHour float64 `json:"price_memory_gib_hour" name:"price-memory-hour" default:"0.005" placeholder:"P" help:"Price of a GiB of memory for an hour."`
	DiskMonth  float64 `json:"price_disk_gb_month" name:"price-disk-month" default:"0.1" placeholder:"P" help:"Price of a GB (1000000000 bytes) of disk for 30 days."`
	Network    float64 `json:"price_network_gb" name:"price-network" default:"0.01" placeholder:"P" help:"Price of a GB that goes from one machine to another. What clients send is not counted."`
}

// The limits of the input.
const (
	mostEvents     = 1e9
	mostEventBytes = 1 << 20
	mostBulk       = 10_000
	mostBulkBytes  = 5 << 20
	mostFixed      = 10_000
	mostCopies     = 100
	mostPrice      = 1e6
	mostRetention  = 18250 * 24 * time.Hour
)

// Check reports every fault of the load, joined into one error. Each names the flag.
func (l Load) Check() error {
	var faults []error
	within := func(flag string, value, least, most float64) {
		if math.IsNaN(value) || value < least || value > most {
			faults = append(faults, fmt.Errorf("--%s: %s to %s, not %s", flag, exact(least), exact(most), exact(value)))
		}
	}
	if !(l.EventsPerSecond > 0 && l.EventsPerSecond <= mostEvents) {
		faults = append(faults, fmt.Errorf("--events-per-second: above 0, at most %s, not %s; it has no default",
			exact(mostEvents), exact(l.EventsPerSecond)))
	}
	within("peak-factor", l.PeakFactor, 1, 1000)
	within("event-bytes", l.EventBytes, 1, mostEventBytes)
	within("bulk", float64(l.Bulk), 1, mostBulk)
	if l.EventBytes <= mostEventBytes && l.Bulk <= mostBulk && float64(l.Bulk)*l.EventBytes > mostBulkBytes {
		faults = append(faults, fmt.Errorf("--bulk %d of --event-bytes %s exceeds the %d bytes of a bulk request",
			l.Bulk, exact(l.EventBytes), mostBulkBytes))
	}
	within("replication", float64(l.Replication), 1, mostCopies)
	within("replicas", float64(l.Replicas), 1, mostCopies)
	within("headroom", l.Headroom, 0, 0.9)
	within("cores", l.Cores, 0.1, 1024)
	within("server-cores", l.ServerCores, 0.1, 1024)
	within("server-disk-bytes", l.ServerDisk, 1e9, 1e18)
	within("network-bytes", l.NetworkBytes, 1e6, 1e15)
	for _, f := range []struct {
		flag  string
		value int
	}{{"partitions", l.Partitions}, {"gateways", l.Gateways}, {"consumers", l.Consumers}, {"shards", l.Shards}} {
		within(f.flag, float64(f.value), 0, mostFixed)
	}
	for _, p := range []struct {
		flag  string
		value float64
	}{
		{"price-core-hour", l.CoreHour}, {"price-memory-hour", l.MemoryHour}, {"price-disk-month", l.DiskMonth},
		{"price-network", l.Network},
	} {
		within(p.flag, p.value, 0, mostPrice)
	}
	return errors.Join(append(faults, l.checkTimes()...)...)
}

func (l Load) checkTimes() (faults []error) {
	for _, t := range []struct {
		flag  string
		value settings.Duration
		least time.Duration
		text  string
	}{
		{"retention", l.Retention, 24 * time.Hour, "1d"},
		{"topic-retention", l.TopicRetention, time.Hour, "1h"},
		{"outage", l.Outage, 0, "0"},
	} {
		if v := time.Duration(t.value); v < t.least || v > mostRetention {
			faults = append(faults, fmt.Errorf("--%s: %s to 18250d, not %s", t.flag, t.text, v))
		}
	}
	return faults
}

// peak is the rate of the busiest minute, in events per second.
func (l Load) peak() float64 { return l.EventsPerSecond * l.PeakFactor }

// usable is how many of a machine's cores may be busy at the peak.
func (l Load) usable(cores float64) float64 { return cores * (1 - l.Headroom) }
