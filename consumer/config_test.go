package consumer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/settings"
)

// goodConfig are settings without a fault.
func goodConfig() Config {
	return Config{
		Group: "sluice", Store: Store{DSN: DefaultDSN, Retention: new(settings.Duration(90 * 24 * time.Hour))},
		BatchRows: 100_000, BatchBytes: 16 << 20, BufferBytes: 128 << 20, FlushAge: time.Second, InsertsPerSecond: 12, Sample: 1,
		MaxEventAge: settings.Duration(90 * 24 * time.Hour),
	}
}

// Every limit, one step outside, at it, and one step inside; the error names the flag.
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
		{"--max-event-age", func(c *Config) { c.MaxEventAge = 0 }, false},
		{"--max-event-age", func(c *Config) { c.MaxEventAge = 1 }, true},
		{"--retention", func(c *Config) { c.Retention = new(settings.Duration(0)) }, false},
		{"--retention", func(c *Config) { c.Retention = new(settings.Duration(-48 * time.Hour)) }, false},
		{"--retention", func(c *Config) { c.Retention = new(settings.Duration(24*time.Hour - time.Second)) }, false},
		{"--retention", func(c *Config) { c.Retention = new(settings.Duration(24 * time.Hour)) }, true},
		{"--retention", func(c *Config) { c.Retention = new(settings.Duration(24*time.Hour + time.Millisecond)) }, false},
		{"--retention", func(c *Config) { c.Retention = new(settings.Duration(24*time.Hour + time.Second)) }, true},
		{"--retention", func(c *Config) { c.Retention = new(settings.Duration(18250*24*time.Hour - time.Second)) }, true},
		{"--retention", func(c *Config) { c.Retention = new(settings.Duration(18250 * 24 * time.Hour)) }, true},
		{"--retention", func(c *Config) { c.Retention = new(settings.Duration(18250*24*time.Hour + time.Second)) }, false},
		{"--retention", func(c *Config) { c.Retention = nil }, true},
	} {
		cfg := goodConfig()
		c.set(&cfg)
		err := cfg.Check()
		if (err == nil) != c.ok || !c.ok && !strings.HasPrefix(err.Error(), c.flag+":") {
			t.Errorf("%s: error %v, want one: %v", c.flag, err, !c.ok)
		}
	}
}

// All faults are said at once: an operator should not have to start five times.
func TestCheckSaysAll(t *testing.T) {
	err := Config{Store: Store{Retention: new(settings.Duration(time.Hour))}}.Check()
	for _, flag := range []string{"--kafka-group", "--batch-rows", "--batch-bytes", "--flush-age", "--inserts-per-second", "--max-event-age", "--retention", "--clickhouse-dsn"} {
		if !strings.Contains(err.Error(), flag+":") {
			t.Errorf("%s is not mentioned in: %v", flag, err)
		}
	}
}

// DSNs that are not to be used are refused, and no refusal repeats the password in them.
func TestDSN(t *testing.T) {
	const secret = "hunter2"
	for dsn, ok := range map[string]bool{
		"clickhouse://u:" + secret + "@h:9000/db":                          true,
		"clickhouse://u:" + secret + "@h:9440/db?secure=true":              true,
		"clickhouse://u:" + secret + "@a:9000,b:9000/db":                   true,
		"https://u:" + secret + "@h:8443/db":                               true,
		"http://u:" + secret + "@h:8123":                                   true,
		"":                                                                 false,
		"u:" + secret + "@h:9000/db":                                       false,
		"clickhouse://u:" + secret + "@":                                   false,
		"clickhouse://u:" + secret + "@h:port/db":                          false,
		"clickhouse://u:" + secret + "%zz@h:9000/db":                       false,
		"clickhouse://u:" + secret + "@h:9000/a-b":                         false,
		"clickhouse://u:" + secret + "@h:9000/a;drop":                      false,
		"clickhouse://u:" + secret + "@h:9000/db?dial_timeout=" + secret:   false,
		"clickhouse://u:" + secret + "@h:9000/" + strings.Repeat("x", 64):  false,
		"clickhouse://u:" + secret + "@h:9000/" + strings.Repeat("x", 63):  true,
		"clickhouse://u:" + secret + "@h:9000/1db":                         false,
		"clickhouse://u:" + secret + "@h:9000/db\x00":                      false,
		"clickhouse://u:" + secret + "@h:9000/db?secure=" + secret:         false,
		"clickhouse://u:" + secret + "@h:9000/db?block_buffer_size=" + "-": false,
	} {
		_, err := Store{DSN: dsn}.options()
		if (err == nil) != ok {
			t.Errorf("%q: error %v, want one: %v", dsn, err, !ok)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the password is in the error: %v", err)
		}
	}
}

// https means TLS, and http none: the DSN need not say it twice.
func TestTLS(t *testing.T) {
	for dsn, want := range map[string]bool{
		"https://h:8443/db": true, "https://h:8443/db?dial_timeout=1s": true, "https://h:8443/db?secure=true": true,
		"http://h:8123/db": false, "clickhouse://h:9440/db?secure=true": true, "clickhouse://h:9000/db": false,
	} {
		opts, err := Store{DSN: dsn}.options()
		if err != nil || (opts.TLS != nil) != want {
			t.Errorf("%s: error %v, want TLS: %v", dsn, err, want)
		}
	}
}

// The database is sluice unless the DSN names another.
func TestDefaultDatabase(t *testing.T) {
	for dsn, want := range map[string]string{
		"clickhouse://h:9000": "sluice", "clickhouse://h:9000/": "sluice", "clickhouse://h:9000/other": "other", "http://h:8123": "sluice",
	} {
		opts, err := Store{DSN: dsn}.options()
		if err != nil || opts.Auth.Database != want {
			t.Errorf("%s: %v, error %v; want %s", dsn, opts, err, want)
		}
	}
}

// A DSN in a file goes before the other one, is read anew each time, and a fault of it names the file's flag.
func TestDSNFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dsn")
	store := Store{DSN: DefaultDSN, DSNFile: file}
	if _, err := store.options(); err == nil || !strings.HasPrefix(err.Error(), "--clickhouse-dsn-file:") {
		t.Errorf("without the file: %v", err)
	}
	for _, name := range []string{"one", "two"} {
		if err := os.WriteFile(file, []byte("  clickhouse://u:p@h:9000/"+name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		opts, err := store.options()
		if err != nil || opts.Auth.Database != name || opts.Auth.Password != "p" {
			t.Errorf("got %v, error %v; want the database %s", opts, err, name)
		}
	}
	if err := os.WriteFile(file, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.options(); err == nil || !strings.HasPrefix(err.Error(), "--clickhouse-dsn-file:") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a file that holds no DSN: %v", err)
	}
}

// More partitions do not mean more inserts: together they insert as often as inserts-per-second allows, and a batch never gets
// less time than the flush age.
func TestFlushAge(t *testing.T) {
	for _, c := range []struct {
		partitions int
		perSecond  float64
		age, want  time.Duration
	}{
		{0, 12, time.Second, time.Second},
		{1, 12, time.Second, time.Second},
		{12, 12, time.Second, time.Second},
		{13, 12, time.Second, 13 * time.Second / 12},
		{120, 12, time.Second, 10 * time.Second},
		{12, 12, 10 * time.Second, 10 * time.Second},
		{3, 0.5, 10 * time.Millisecond, 6 * time.Second},
	} {
		cfg := Config{FlushAge: c.age, InsertsPerSecond: c.perSecond}
		if got := cfg.flushAge(c.partitions); (got - c.want).Abs() > time.Microsecond {
			t.Errorf("%d partitions at %v a second and %s: %s, want %s", c.partitions, c.perSecond, c.age, got, c.want)
		}
	}
}

func TestDSNWithoutAPort(t *testing.T) {
	for dsn, want := range map[string]string{
		"clickhouse://ch":             "ch:9000",
		"clickhouse://ch?secure=true": "ch:9440",
		"clickhouse://ch:1":           "ch:1",
		"clickhouse://u:p@ch/db":      "ch:9000",
		"http://ch":                   "ch:8123",
		"https://ch/db":               "ch:8443",
		"https://ch:443/db":           "ch:443",
		"clickhouse://[::1]/db":       "[::1]:9000",
		"clickhouse://a:1,b/db":       "a:1",
	} {
		opts, err := Store{DSN: dsn}.options()
		if err != nil || opts.Addr[0] != want {
			t.Errorf("%s: %v, %v; want %s", dsn, opts, err, want)
		}
	}
}
