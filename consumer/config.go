package consumer

import (
	"errors"
	"fmt"
	"time"

	"sluice/consumer/schema"
	"sluice/consumer/step"
	"sluice/internal/settings"
)

// Config is the consumer's own settings. The settings of Kafka, and of the process, are elsewhere.
type Config struct {
	Group            string            `name:"kafka-group" default:"sluice" help:"Kafka consumer group. All consumers of one group share the topic's partitions."`
	Store            schema.Config     `embed:""`
	BatchRows        int               `name:"batch-rows" default:"100000" help:"Most rows of one insert; 1 to 1000000."`
	BatchBytes       int               `name:"batch-bytes" default:"16777216" help:"Most event bytes of one insert; 65536 to 268435456."`
	BufferBytes      int               `name:"buffer-bytes" default:"134217728" help:"Memory for records that are not yet in ClickHouse, over all partitions, in bytes; 16777216 to 17179869184. Fetching stops when it is used up, because ClickHouse is slow or away. The process takes up to four times as much."`
	FlushAge         time.Duration     `name:"flush-age" default:"1s" help:"The longest time from the first record of a batch to its insert. Each partition inserts once in this time, on its own or together with others: see inserts-per-second."`
	InsertsPerSecond float64           `name:"inserts-per-second" default:"12" help:"Most inserts a second over all consumers. If the topic has more partitions than inserts in one flush age, partitions share inserts, so that more partitions make neither more parts nor older events."`
	BlockPartitions  int               `name:"block-partitions" default:"1000" help:"Most partitions that share one insert; 1 to 1000. With 1 each partition inserts on its own, and the flush age is at least the number of partitions divided by inserts-per-second."`
	RedactKeys       []string          `name:"redact-keys" placeholder:"NAME,…" help:"Names, in any case, whose values are removed from events, at any depth, before they are stored: a string becomes [redacted], a number 0, true false. The topic keeps them."`
	RedactPatterns   []string          `name:"redact-patterns" placeholder:"KIND,…" help:"Kinds of secrets that are removed from all texts of events before they are stored: card (numbers of payment cards), bearer (access tokens), email. event_id, timestamp and level stay as they are."`
	Sample           float64           `name:"sample" default:"1" help:"Share of events that is stored, above 0 to 1, chosen by a hash of the event's id. The others are read, counted and dropped."`
	MaxEventAge      settings.Duration `name:"max-event-age" default:"90d" help:"Events with an older timestamp get the time of receipt instead, and timestamp_adjusted is set."`
}

// Check reports every fault of the settings.
func (c Config) Check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Group == "" {
		fault("--kafka-group: must not be empty")
	} else if err := checkGroup(c.Group); err != nil {
		fault("--kafka-group: %w", err)
	}
	if c.BatchRows < 1 || c.BatchRows > 1_000_000 {
		fault("--batch-rows: 1 to 1000000, not %d", c.BatchRows)
	}
	if c.BatchBytes < 64<<10 || c.BatchBytes > 256<<20 {
		fault("--batch-bytes: 65536 to 268435456, not %d", c.BatchBytes)
	}
	if c.BufferBytes < 16<<20 || c.BufferBytes > 16<<30 {
		fault("--buffer-bytes: 16777216 to 17179869184, not %d", c.BufferBytes)
	}
	if c.FlushAge < 10*time.Millisecond || c.FlushAge > 10*time.Minute {
		fault("--flush-age: 10ms to 10m, not %s", c.FlushAge)
	}
	if !(c.InsertsPerSecond >= 0.1 && c.InsertsPerSecond <= 10_000) { // written so that NaN fails too
		fault("--inserts-per-second: 0.1 to 10000, not %g", c.InsertsPerSecond)
	}
	if c.BlockPartitions < 1 || c.BlockPartitions > 1000 {
		fault("--block-partitions: 1 to 1000, not %d", c.BlockPartitions)
	}
	if err := c.steps().Check(); err != nil {
		faults = append(faults, err)
	}
	if c.MaxEventAge <= 0 {
		fault("--max-event-age: must be positive")
	}
	faults = append(faults, c.Store.Check())
	return errors.Join(faults...)
}

// maxGroupBytes is the longest name of a group, as long as that of a topic.
const maxGroupBytes = 249

func checkGroup(name string) error {
	if len(name) > maxGroupBytes {
		return fmt.Errorf("at most %d bytes, not %d", maxGroupBytes, len(name))
	}
	return settings.CheckWord(name)
}

// sharesBlocks says whether partitions may share blocks: that rests on reads, which must not miss rows.
func (c Config) sharesBlocks() bool { return c.BlockPartitions > 1 && c.Store.ClickHouse.ReadsAll() }

// steps is the settings of the built-in steps.
func (c Config) steps() step.Config {
	return step.Config{Sample: c.Sample, RedactKeys: c.RedactKeys, RedactPatterns: c.RedactPatterns}
}
