package plan

import (
	"fmt"
)

// usefulPartitions is how many times the needed partitions are still no reason for a warning: the number cannot shrink,
// so room to grow is wise.
const usefulPartitions = 4

// manyInserts is the inserts a second from which on they cost a ClickHouse server about a core.
const manyInserts = 60

func (p *Plan) warnings() []Warning {
	all := []Warning{}
	warn := func(when bool, code, format string, args ...any) {
		if when {
			all = append(all, Warning{code, fmt.Sprintf(format, args...)})
		}
	}
	l := p.Load
	warn(p.Gateway.Instances < least, "one_gateway",
		"with one gateway clients get no answer while it restarts; run at least two behind a load balancer")
	warn(p.Gateway.Instances < p.Gateway.Needed, "too_few_gateways",
		"--gateways %d: the peak needs %d with --headroom %s", p.Gateway.Instances, p.Gateway.Needed, exact(l.Headroom))
	warn(p.Consumer.Instances < least, "one_consumer",
		"with one consumer events wait while it restarts; run at least two")
	warn(p.Consumer.Instances < p.Consumer.Needed, "too_few_consumers",
		"--consumers %d: the peak needs %d with --headroom %s", p.Consumer.Instances, p.Consumer.Needed, exact(l.Headroom))
	warn(p.Consumer.Instances > p.Kafka.Partitions, "idle_consumers",
		"%d consumers share %d partitions: the others have nothing to do", p.Consumer.Instances, p.Kafka.Partitions)
	warn(p.Kafka.Partitions < p.Kafka.NeededPartitions, "too_few_partitions",
		"--partitions %d: the peak needs %d", p.Kafka.Partitions, p.Kafka.NeededPartitions)
	warn(p.Kafka.Partitions > usefulPartitions*p.Kafka.NeededPartitions, "many_partitions",
		"--partitions %d: %d are needed, and more than %d times as many bring nothing but work for the brokers",
		p.Kafka.Partitions, p.Kafka.NeededPartitions, usefulPartitions)
	warn(p.Kafka.Partitions > mostPartitions, "beyond_one_topic",
		"%d partitions are more than the %d that `sluice topics apply` makes: split the load over several topics",
		p.Kafka.Partitions, mostPartitions)
	warn(l.Replication == 1, "one_copy_in_kafka",
		"--replication 1: the loss of one broker's disk loses acknowledged events")
	warn(l.Replication == 2, "two_copies_in_kafka",
		"--replication 2: with min.insync.replicas=2 no event is accepted while one broker is away")
	warn(l.Replicas == 1, "one_replica",
		"--replicas 1: the loss of one ClickHouse server loses its rows, and its absence stops the inserts")
	warn(p.ClickHouse.Shards < p.ClickHouse.NeededShards, "too_few_shards",
		"--shards %d: rows, disk and network need %d", p.ClickHouse.Shards, p.ClickHouse.NeededShards)
	warn(p.Consumer.Inserts > manyInserts, "many_inserts",
		"%s inserts a second reach every shard, and each makes parts: larger --batch-rows and --batch-bytes of the "+
			"consumers make fewer", short(p.Consumer.Inserts))
	return append(all, p.outageWarnings()...)
}

// outageWarnings compares what Kafka keeps with the longest outage. A record that was sent when the outage began is
// read when it ends.
func (p *Plan) outageWarnings() (all []Warning) {
	l := p.Load
	if l.TopicRetention < l.Outage {
		all = append(all, Warning{"short_topic_retention", fmt.Sprintf(
			"--topic-retention %s is shorter than --outage %s: Kafka removes events that ClickHouse does not have yet",
			span(p.Seconds.TopicRetention), span(p.Seconds.Outage))})
	}
	if p.Consumer.CatchUp == never {
		all = append(all, Warning{"no_catch_up", "consumers and ClickHouse are slower than the average rate: " +
			"they never catch up"})
	}
	return all
}
