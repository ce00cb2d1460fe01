package consumer

import (
	"errors"
	"fmt"
	"time"

	"sluice/consumer/schema"
	"sluice/consumer/step"
	"sluice/internal/settings"
)

// Config are the consumer's own settings. How Kafka is reached and what the process logs are settings of their own.
type Config struct {
	Group            string            `name:"kafka-group" default:"sluice" help:"Kafka consumer group. All consumers of one group share the topic's partitions."`
	Store            schema.Config     `embed:""`
	BatchRows        int               `name:"batch-rows" default:"100000" help:"Most rows of one insert; 1 to 1000000."`
	BatchBytes       int               `name:"batch-bytes" default:"16777216" help:"Most event bytes of one insert; 65536 to 268435456."`
	BufferBytes      int               `name:"buffer-bytes" default:"134217728" help:"Memory for records on their way, over all partitions, in bytes; 16777216 to 17179869184. When it is used up, because ClickHouse is slow or away, fetching stops. The process takes up to four times as much."`
	FlushAge         time.Duration     `name:"flush-age" default:"1s" help:"How old a batch may get before it is inserted; each partition inserts once in this time. With many partitions it is longer: see inserts-per-second."`
	InsertsPerSecond float64           `name:"inserts-per-second" default:"12" help:"Most inserts a second over all consumers: a batch gets at least partitions ÷ this old, so that more partitions do not mean more parts."`
	RedactKeys       []string          `name:"redact-keys" placeholder:"NAME,…" help:"Names, in any case, whose values are taken out of events at any depth before they are stored: strings become [redacted], numbers 0, true false. The topic still has them."`
	RedactPatterns   []string          `name:"redact-patterns" placeholder:"KIND,…" help:"Kinds of secrets that are taken out of all texts of events before they are stored: card (numbers of payment cards), bearer (access tokens), email. event_id, timestamp and level stay as they are."`
	Sample           float64           `name:"sample" default:"1" help:"Share of events that is stored, above 0 to 1, chosen by a hash of the event's id. The others are read, counted and dropped."`
	MaxEventAge      settings.Duration `name:"max-event-age" default:"90d" help:"Events with an older timestamp get the time received instead, and timestamp_adjusted is set."`
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
	if err := c.steps().Check(); err != nil {
		faults = append(faults, err)
	}
	if c.MaxEventAge <= 0 {
		fault("--max-event-age: must be positive")
	}
	faults = append(faults, c.Store.Check())
	return errors.Join(faults...)
}

// maxGroupBytes is longer than any group's name that somebody has to read.
const maxGroupBytes = 249

func checkGroup(name string) error {
	if len(name) > maxGroupBytes {
		return fmt.Errorf("at most %d bytes, not %d", maxGroupBytes, len(name))
	}
	return settings.CheckWord(name)
}

// steps are the settings of the built-in steps.
func (c Config) steps() step.Config {
	return step.Config{Sample: c.Sample, RedactKeys: c.RedactKeys, RedactPatterns: c.RedactPatterns}
}

// flushAge is the age at which a batch is inserted, given how many partitions the topic has.
func (c Config) flushAge(partitions int) time.Duration {
	spread := time.Duration(float64(partitions) / c.InsertsPerSecond * float64(time.Second))
	return max(c.FlushAge, spread)
}

// flushPhase is when in each flush age a partition's batches are sealed.
func flushPhase(partition, partitions int, flushAge time.Duration) time.Duration {
	return flushAge * time.Duration(partition%max(1, partitions)) / time.Duration(max(1, partitions))
}
