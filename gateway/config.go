package gateway

import (
	"errors"
	"fmt"
	"time"

	"sluice/gateway/clientaddr"
	"sluice/gateway/ratelimit"
	"sluice/internal/recordbatch"
	"sluice/internal/settings"
)

// Config holds the gateway's own settings. Kafka's and the process's settings are elsewhere. The help texts are the
// manual: docs/settings.md is made from them.
type Config struct {
	HTTPAddr            string        `name:"http-addr" default:"${http_addr}" help:"Address of the public port."`
	ProjectsFile        string        `name:"projects-file" placeholder:"FILE" example:"projects.yaml" help:"YAML file with the projects, the SHA-256 of their keys and their limits. A file whose name ends in .jsonl holds one JSON object a line instead. A change is in force within 5 s. A broken file keeps the last good one in force."`
	RequestTimeout      time.Duration `name:"request-timeout" default:"10s" help:"How long a request may wait for Kafka's acknowledgement before it is answered 503. At least 1s. Requests of Sentry's clients, which drop what is answered 503, wait twice as long, but no longer than 20 s or this setting."`
	HTTPIdleTimeout     time.Duration `name:"http-idle-timeout" default:"620s" help:"How long an idle keep-alive connection stays open. Keep it longer than the load balancer's own idle time, so that the gateway never closes first."`
	MaxEventBytes       int           `name:"max-event-bytes" default:"1048576" help:"Largest event, in bytes after decompression; 1 to 1572864, which fits into one Kafka batch."`
	MaxBulkBytes        int           `name:"max-bulk-bytes" default:"5242880" help:"Largest bulk, in bytes before and after decompression; 1 to 67108864."`
	MaxHeaderBytes      int           `name:"max-header-bytes" default:"16384" help:"Largest request line with headers, in bytes; 4096 to 1048576. Pages that send beacons send their cookies too. A connection holds a buffer of this size from a request's first byte until it has been idle for two seconds."`
	MaxInflightBytes    int64         `name:"max-inflight-bytes" default:"268435456" help:"Event bytes that may wait for Kafka at once. Events beyond that are answered 503 at once."`
	KafkaCompression    string        `name:"kafka-compression" default:"snappy" enum:"none,lz4,zstd,snappy,gzip" help:"Codec of the record batches: none, lz4, zstd, snappy or gzip. snappy takes the least time and shrinks events to a third; zstd shrinks them to a fifth in three times that time."`
	LimitStoreConfig    `embed:""`
	MaxQueueWait        time.Duration `name:"max-queue-wait" default:"1s" help:"How long the events that wait for Kafka may take at its present pace. While they take longer, requests are answered 503 before their body is read. Never more than half of --request-timeout; 0 for no bound."`
	MaxBodyBytes        int64         `name:"max-body-bytes" default:"268435456" help:"Bytes of bodies that may be in memory at once to be read, decompressed and parsed, without the first 8 KiB of each. A body that finds no room is answered 503. Bodies that take longer than 10 s share half of it. At least four times --max-bulk-bytes; 0 for no bound."`
	MaxInflightRequests int           `name:"max-inflight-requests" default:"10000" help:"Requests that may be read or wait for Kafka at once. One more is answered 503 before its body is read. 0 for no bound."`
	MaxConnections      int           `name:"max-connections" default:"16384" help:"Connections that may be open at once on the public port. The request of one more is answered 503. The limit of open files may lower it. 0 for no bound."`
	FailedKeysPerMinute int           `name:"failed-keys-per-minute" default:"120000" help:"Requests with an unknown key that one address (IPv4, or a /64 of IPv6) may make in a minute before they are answered 429 instead of 401. Valid keys from the address always pass. 0 for no bound, at most 1000000."`
	TrustedProxies      []string      `name:"trusted-proxies" placeholder:"NETWORKS" help:"Addresses and networks (10.0.0.0/8) of the proxies in front of the gateway. For a request from one of them the client's address is the last one in X-Forwarded-For that is not a proxy's. From any other address the header is ignored."`
	PartitionBy         string        `name:"partition-by" default:"none" enum:"none,project,event_id" help:"What decides an event's Kafka partition: none (whole batches go to one partition after another: the fastest), project or event_id."`
	SpoolConfig         `embed:""`
	TLSConfig           `embed:""`
}

// LimitStoreConfig says where the gateways share the projects' rate limits.
type LimitStoreConfig struct {
	LimitStore          string `name:"limit-store" placeholder:"URL" help:"Redis through which all gateways share the projects' rate limits: redis://[user:password@]host:port[/db], rediss:// for TLS. Without it, or while it is away, each gateway limits by itself. Others on the machine can read a flag: prefer the environment or the file."`
	LimitStoreFile      string `name:"limit-store-file" placeholder:"FILE" help:"File with that URL. Each connect reads it again."`
	LimitStoreTLSCAFile string `name:"limit-store-tls-ca-file" placeholder:"FILE" help:"PEM file with the authorities that sign Redis' certificate. Without it those of the system."`
}

// SpoolConfig says where events wait while Kafka does not take them.
type SpoolConfig struct {
	SpoolDir      string        `name:"spool-dir" placeholder:"DIR" help:"Directory in which events wait on disk while Kafka does not take them. They are answered 202, and sent when Kafka takes them again. Each gateway needs its own directory, on a disk that outlives it. Without a directory such events are answered 503."`
	SpoolMaxBytes int64         `name:"spool-max-bytes" default:"10737418240" help:"Largest size of the spool, in bytes; at least 67108864. Events beyond that are answered 503. The disk needs about 32 MiB more."`
	SpoolMaxAge   time.Duration `name:"spool-max-age" default:"24h" help:"While the oldest event in the spool is older than this, the spool takes no more: new events are answered 503. What the spool holds is still sent. At least 1m."`
}

// Bounds of the size settings, in bytes.
const (
	maxEventBytesBound = 3 << 19
	maxBulkBytesBound  = 64 << 20
	minSpoolBytes      = 64 << 20
	minHeaderBytes     = 4 << 10
	maxHeaderBytes     = 1 << 20
)

// minBodiesPerBulk times --max-bulk-bytes is the least --max-body-bytes. The largest body needs that much: as it came
// and decompressed, each in memory that doubles as it grows.
const minBodiesPerBulk = 4

// maxFailedKeys is the highest --failed-keys-per-minute.
const maxFailedKeys = 1_000_000

// Check returns an error that joins every fault of the settings, or nil.
func (c Config) Check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if err := settings.CheckListen(c.HTTPAddr); err != nil {
		fault("--http-addr: %w", err)
	}
	if c.RequestTimeout < time.Second {
		fault("--request-timeout: at least 1s, not %s", c.RequestTimeout)
	}
	if c.HTTPIdleTimeout < time.Second {
		fault("--http-idle-timeout: at least 1s, not %s", c.HTTPIdleTimeout)
	}
	if c.MaxEventBytes < 1 || c.MaxEventBytes > maxEventBytesBound {
		fault("--max-event-bytes: 1 to %d, not %d", maxEventBytesBound, c.MaxEventBytes)
	}
	if c.MaxBulkBytes < 1 || c.MaxBulkBytes > maxBulkBytesBound {
		fault("--max-bulk-bytes: 1 to %d, not %d", maxBulkBytesBound, c.MaxBulkBytes)
	}
	if c.MaxBulkBytes < c.MaxEventBytes {
		fault("--max-bulk-bytes: at least --max-event-bytes (%d), not %d", c.MaxEventBytes, c.MaxBulkBytes)
	}
	if c.MaxHeaderBytes < minHeaderBytes || c.MaxHeaderBytes > maxHeaderBytes {
		fault("--max-header-bytes: %d to %d, not %d", minHeaderBytes, maxHeaderBytes, c.MaxHeaderBytes)
	}
	if c.MaxInflightBytes < int64(c.MaxBulkBytes) {
		fault("--max-inflight-bytes: at least --max-bulk-bytes (%d), not %d", c.MaxBulkBytes, c.MaxInflightBytes)
	}
	c.checkDefences(fault)
	if _, err := recordbatch.NewEncoder(c.KafkaCompression); err != nil {
		fault("--kafka-compression: %w", err)
	}
	if err := c.limitStore().Check(); err != nil {
		faults = append(faults, err)
	}
	if err := c.files().Check(); err != nil {
		faults = append(faults, err)
	}
	if c.SpoolDir != "" && c.SpoolMaxBytes < minSpoolBytes {
		fault("--spool-max-bytes: at least %d, not %d", minSpoolBytes, c.SpoolMaxBytes)
	}
	if c.SpoolDir != "" && c.SpoolMaxAge < time.Minute {
		fault("--spool-max-age: at least 1m, not %s", c.SpoolMaxAge)
	}
	return errors.Join(faults...)
}

// limitStore returns the settings of the limit store.
func (c Config) limitStore() ratelimit.Config {
	return ratelimit.Config{URL: c.LimitStore, URLFile: c.LimitStoreFile, TLSCAFile: c.LimitStoreTLSCAFile}
}

// checkDefences checks the limits that keep the gateway itself from harm.
func (c Config) checkDefences(fault func(format string, args ...any)) {
	if c.MaxQueueWait < 0 {
		fault("--max-queue-wait: 0 or more, not %s", c.MaxQueueWait)
	}
	if least := minBodiesPerBulk * int64(c.MaxBulkBytes); c.MaxBodyBytes != 0 && c.MaxBodyBytes < least {
		fault("--max-body-bytes: 0, or at least %d times --max-bulk-bytes (%d), not %d",
			minBodiesPerBulk, least, c.MaxBodyBytes)
	}
	if c.MaxInflightRequests < 0 {
		fault("--max-inflight-requests: 0 or more, not %d", c.MaxInflightRequests)
	}
	if c.MaxConnections < 0 {
		fault("--max-connections: 0 or more, not %d", c.MaxConnections)
	}
	if c.FailedKeysPerMinute < 0 || c.FailedKeysPerMinute > maxFailedKeys {
		fault("--failed-keys-per-minute: 0 to %d, not %d", maxFailedKeys, c.FailedKeysPerMinute)
	}
	if _, err := clientaddr.Parse(c.TrustedProxies); err != nil {
		fault("--trusted-proxies: %w", err)
	}
}
