package consumer

import (
	"strings"
	"testing"
	"time"

	"sluice/consumer/clickhouse"
	"sluice/consumer/schema"
	"sluice/internal/settings"
)

// goodConfig is settings without a fault.
func goodConfig() Config {
	return Config{
		Group: "sluice", Store: schema.Config{ClickHouse: clickhouse.Config{DSN: clickhouse.DefaultDSN}, Retention: new(settings.Duration(90 * 24 * time.Hour))},
		BatchRows: 100_000, BatchBytes: 16 << 20, BufferBytes: 128 << 20, FlushAge: time.Second, InsertsPerSecond: 12, BlockPartitions: 1000, Sample: 1,
		MaxEventAge: settings.Duration(90 * 24 * time.Hour),
	}
}

// Each limit, one step outside, at it, and one step inside. The error names the flag.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		flag string
		set  func(*Config)
		ok   bool
	}{
		{"", func(*Config) {}, true},
		{"--kafka-group", func(c *Config) { c.Group = "" }, false},
		{"--batch-rows", func(c *Config) { c.BatchRows = 0 }, false},
		{"--batch-rows", func(c *Config) { c.BatchRows = 1 }, true},
		{"--batch-rows", func(c *Config) { c.BatchRows = 1_000_000 }, true},
		{"--batch-rows", func(c *Config) { c.BatchRows = 1_000_001 }, false},
		{"--batch-bytes", func(c *Config) { c.BatchBytes = 65_535 }, false},
		{"--batch-bytes", func(c *Config) { c.BatchBytes = 65_536 }, true},
		{"--batch-bytes", func(c *Config) { c.BatchBytes = 268_435_456 }, true},
		{"--batch-bytes", func(c *Config) { c.BatchBytes = 268_435_457 }, false},
		{"--buffer-bytes", func(c *Config) { c.BufferBytes = 16<<20 - 1 }, false},
		{"--buffer-bytes", func(c *Config) { c.BufferBytes = 16 << 20 }, true},
		{"--buffer-bytes", func(c *Config) { c.BufferBytes = 16 << 30 }, true},
		{"--buffer-bytes", func(c *Config) { c.BufferBytes = 16<<30 + 1 }, false},
		{"--flush-age", func(c *Config) { c.FlushAge = 10*time.Millisecond - 1 }, false},
		{"--flush-age", func(c *Config) { c.FlushAge = 10 * time.Millisecond }, true},
		{"--flush-age", func(c *Config) { c.FlushAge = 10 * time.Minute }, true},
		{"--flush-age", func(c *Config) { c.FlushAge = 10*time.Minute + 1 }, false},
		{"--inserts-per-second", func(c *Config) { c.InsertsPerSecond = -1 }, false},
		{"--inserts-per-second", func(c *Config) { c.InsertsPerSecond = 0 }, false},
		{"--inserts-per-second", func(c *Config) { c.InsertsPerSecond = 0.1 }, true},
		{"--block-partitions", func(c *Config) { c.BlockPartitions = 0 }, false},
		{"--block-partitions", func(c *Config) { c.BlockPartitions = 1 }, true},
		{"--block-partitions", func(c *Config) { c.BlockPartitions = 2 }, true},
		{"--block-partitions", func(c *Config) { c.BlockPartitions = 999 }, true},
		{"--block-partitions", func(c *Config) { c.BlockPartitions = 1000 }, true},
		{"--block-partitions", func(c *Config) { c.BlockPartitions = 1001 }, false},
		{"--max-event-age", func(c *Config) { c.MaxEventAge = 0 }, false},
		{"--max-event-age", func(c *Config) { c.MaxEventAge = 1 }, true},
		{"--retention", func(c *Config) { c.Store.Retention = new(settings.Duration(0)) }, false},
		{"--retention", func(c *Config) { c.Store.Retention = new(settings.Duration(-48 * time.Hour)) }, false},
		{"--retention", func(c *Config) { c.Store.Retention = new(settings.Duration(24*time.Hour - time.Second)) }, false},
		{"--retention", func(c *Config) { c.Store.Retention = new(settings.Duration(24 * time.Hour)) }, true},
		{"--retention", func(c *Config) { c.Store.Retention = new(settings.Duration(24*time.Hour + time.Millisecond)) }, false},
		{"--retention", func(c *Config) { c.Store.Retention = new(settings.Duration(24*time.Hour + time.Second)) }, true},
		{"--retention", func(c *Config) { c.Store.Retention = new(settings.Duration(18250*24*time.Hour - time.Second)) }, true},
		{"--retention", func(c *Config) { c.Store.Retention = new(settings.Duration(18250 * 24 * time.Hour)) }, true},
		{"--retention", func(c *Config) { c.Store.Retention = new(settings.Duration(18250*24*time.Hour + time.Second)) }, false},
		{"--retention", func(c *Config) { c.Store.Retention = nil }, true},
	} {
		cfg := goodConfig()
		c.set(&cfg)
		err := cfg.Check()
		if (err == nil) != c.ok || !c.ok && !strings.HasPrefix(err.Error(), c.flag+":") {
			t.Errorf("%s: error %v, want one: %v", c.flag, err, !c.ok)
		}
	}
}

// All faults are reported at once, so that an operator need not start five times.
func TestCheckSaysAll(t *testing.T) {
	err := Config{Store: schema.Config{Retention: new(settings.Duration(time.Hour))}}.Check()
	for _, flag := range []string{"--kafka-group", "--batch-rows", "--batch-bytes", "--flush-age", "--inserts-per-second", "--max-event-age", "--retention", "--clickhouse-dsn"} {
		if !strings.Contains(err.Error(), flag+":") {
			t.Errorf("%s is not mentioned in: %v", flag, err)
		}
	}
}
