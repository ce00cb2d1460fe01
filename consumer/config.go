package consumer

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"sluice/internal/settings"
)

// Config are the consumer's own settings. How Kafka is reached and what the process logs are settings of their own.
type Config struct {
	Group            string            `name:"kafka-group" default:"sluice" help:"Kafka consumer group. All consumers of one group share the topic's partitions."`
	Store                              // where the rows go
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

// Store says how ClickHouse is reached and how long it keeps events.
type Store struct {
	DSN     string `name:"clickhouse-dsn" placeholder:"DSN" default:"${clickhouse_dsn}" help:"ClickHouse as clickhouse://user:password@host:9000/database (native; ?secure=true for TLS) or https://…. With ?compress=none, lz4 or zstd blocks travel so; otherwise as lz4, or as they are to a server on this machine. The database is sluice unless named. A flag can be read by others on the machine: prefer the environment or the file for passwords."`
	DSNFile string `name:"clickhouse-dsn-file" placeholder:"FILE" help:"File with the DSN; read again at each connect."`
	Cluster string `name:"clickhouse-cluster" placeholder:"NAME" help:"Cluster of ClickHouse, as system.clusters names it: tables are replicated, and rows go to the shard of their event. Not for ClickHouse Cloud, which does that by itself."`
	Quorum  string `name:"clickhouse-quorum" default:"auto" help:"With clickhouse-cluster: how many replicas of a shard must have a block before it counts as in; auto is most of them, so both of two. With 1 what is on one replica's disk alone is lost with it."`

	Retention *settings.Duration `name:"retention" help:"How long events are kept, counted from their receipt: 1d to 18250d. Set by consumer migrate, which asks for --shorten-retention where it is shorter than before. Left out: a table that is there keeps what it has, a new one gets 90d."`
}

// clusterName keeps names out of SQL that would need quoting, and macros, which system.clusters does not know.
var clusterName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,64}$`)

// quorumOf is how many of a shard's replicas must have a block.
func quorumOf(setting string, replicas int) (int, error) {
	if setting == "auto" || setting == "" {
		return replicas/2 + 1, nil
	}
	if n, err := strconv.Atoi(setting); err == nil && n >= 1 && n <= 100 {
		return n, nil
	}
	return 0, errors.New("--clickhouse-quorum: auto, or 1 to 100")
}

// DefaultDSN is a server on this machine.
const DefaultDSN = "clickhouse://127.0.0.1:9000/sluice"

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

// Check reports every fault of the settings.
func (s Store) Check() error {
	var faults []error
	if err := checkRetention(s.Retention); err != nil {
		faults = append(faults, err)
	}
	if s.Cluster != "" && !clusterName.MatchString(s.Cluster) {
		faults = append(faults, errors.New("--clickhouse-cluster: letters, digits, underscores, dots and dashes, at most 64"))
	}
	if _, err := quorumOf(s.Quorum, 1); err != nil {
		faults = append(faults, err)
	}
	if _, err := s.options(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// steps are the settings of the built-in steps.
func (c Config) steps() stepConfig {
	return stepConfig{Sample: c.Sample, RedactKeys: c.RedactKeys, RedactPatterns: c.RedactPatterns}
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
