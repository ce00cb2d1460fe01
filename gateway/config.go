package gateway

import (
	"errors"
	"fmt"
	"time"

	"sluice/gateway/ratelimit"
	"sluice/internal/recordbatch"
	"sluice/internal/settings"
)

// Config are the gateway's own settings. How Kafka is reached and what the process logs are settings of their own.
type Config struct {
	HTTPAddr            string        `name:"http-addr" default:"${http_addr}" help:"Address of the public port."`
	ProjectsFile        string        `name:"projects-file" placeholder:"FILE" help:"YAML file with the projects, the SHA-256 of their keys and their limits; or one JSON object a line if its name ends in .jsonl. Read again within 5 s of a change; a broken file keeps the last good one."`
	RequestTimeout      time.Duration `name:"request-timeout" default:"10s" help:"How long a request may wait for Kafka's acknowledgement before it is answered 503. At least 1s."`
	HTTPIdleTimeout     time.Duration `name:"http-idle-timeout" default:"620s" help:"How long an idle keep-alive connection stays open; longer than the load balancer's own idle time, so that it is never the gateway that hangs up first."`
	MaxEventBytes       int           `name:"max-event-bytes" default:"1048576" help:"Largest event, in bytes after decompression; 1 to 1572864, what fits into one Kafka batch."`
	MaxBulkBytes        int           `name:"max-bulk-bytes" default:"5242880" help:"Largest bulk, in bytes before and after decompression; 1 to 67108864."`
	MaxHeaderBytes      int           `name:"max-header-bytes" default:"16384" help:"Largest request line with headers, in bytes; 4096 to 1048576. Pages that send beacons send their cookies too. A connection holds a buffer of this size from a request's first byte until the connection has been idle for two seconds."`
	MaxInflightBytes    int64         `name:"max-inflight-bytes" default:"268435456" help:"Event bytes that may wait for Kafka at once; what comes on top is answered 503 at once."`
	KafkaCompression    string        `name:"kafka-compression" default:"snappy" enum:"none,lz4,zstd,snappy,gzip" help:"Codec of the record batches: none, lz4, zstd, snappy or gzip. snappy takes the least time and makes events a third of their size; zstd makes them a fifth, in three times that time."`
	LimitStore          string        `name:"limit-store" placeholder:"URL" help:"Redis through which all gateways share the projects' rate limits: redis://[user:password@]host:port[/db], rediss:// for TLS. Without it, or while it is away, each gateway limits by itself. A flag can be read by others on the machine: prefer the environment or the file."`
	LimitStoreFile      string        `name:"limit-store-file" placeholder:"FILE" help:"File with that URL; read again at each connect."`
	LimitStoreTLSCAFile string        `name:"limit-store-tls-ca-file" placeholder:"FILE" help:"PEM file with the authorities that sign Redis' certificate; without it the system's."`
	MaxQueueWait        time.Duration `name:"max-queue-wait" default:"1s" help:"How long what waits for Kafka may take at the pace of the moment; while it takes longer, requests are answered 503 before their body is read. Never more than half of --request-timeout; 0 for no bound."`
	MaxBodyBytes        int64         `name:"max-body-bytes" default:"268435456" help:"Bytes of bodies that may be in memory at once to be read, decompressed and parsed, without the first 8 KiB of each; a body that finds no room is answered 503. Bodies that take longer than 10 s share half of it. At least four times --max-bulk-bytes; 0 for no bound."`
	MaxInflightRequests int           `name:"max-inflight-requests" default:"10000" help:"Requests that may be under way at once, being read or waiting for Kafka; one more is answered 503 before its body is read. 0 for no bound."`
	MaxConnections      int           `name:"max-connections" default:"16384" help:"Connections that may be open at once on the public port; the request of one more is answered 503. Lowered to what the limit of open files leaves room for. 0 for no bound."`
	FailedKeysPerMinute int           `name:"failed-keys-per-minute" default:"120000" help:"Requests with a key that nobody has which one address (IPv4, or a /64 of IPv6) may make in a minute before they are answered 429 instead of 401; good keys from the address pass all the same. 0 for no bound, at most 1000000."`
	TrustedProxies      []string      `name:"trusted-proxies" placeholder:"NETWORKS" help:"Addresses and networks (10.0.0.0/8) of the proxies in front of the gateway. For a request from one of them the client's address is the last one in X-Forwarded-For that is not a proxy's; from anybody else the header counts for nothing."`
	PartitionBy         string        `name:"partition-by" default:"none" enum:"none,project,event_id" help:"What decides an event's Kafka partition: none (whole batches go to one partition after another: the fastest), project or event_id."`
	SpoolDir            string        `name:"spool-dir" placeholder:"DIR" help:"Directory in which events wait on disk while Kafka does not take them; they are answered 202 and sent when it does again. Each gateway needs one of its own, on a disk that outlives it. Without it such events are answered 503."`
	SpoolMaxBytes       int64         `name:"spool-max-bytes" default:"10737418240" help:"How large the spool may grow, in bytes; at least 67108864. What comes on top is answered 503. The disk needs some 32 MiB more."`
	SpoolMaxAge         time.Duration `name:"spool-max-age" default:"24h" help:"Once the oldest event in the spool has waited for longer than this, nothing more goes into it: new events are answered 503. What is in it is still sent. At least 1m."`
}

// Bounds of the size settings, in bytes.
const (
	maxEventBytesBound = 3 << 19
	maxBulkBytesBound  = 64 << 20
	// bodiesLeast times its size is what the largest body may hold: as it came and decompressed, in memory that doubles.
	bodiesLeast   = 4
	minSpoolBytes = 64 << 20

	minHeaderBytes = 4 << 10
	maxHeaderBytes = 1 << 20
)

// maxFailedKeys is the highest --failed-keys-per-minute.
const maxFailedKeys = 1_000_000

// Check reports every fault of the settings.
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
	if c.SpoolDir != "" && c.SpoolMaxBytes < minSpoolBytes {
		fault("--spool-max-bytes: at least %d, not %d", minSpoolBytes, c.SpoolMaxBytes)
	}
	if c.SpoolDir != "" && c.SpoolMaxAge < time.Minute {
		fault("--spool-max-age: at least 1m, not %s", c.SpoolMaxAge)
	}
	return errors.Join(faults...)
}

// limitStore are the settings of the limit store.
func (c Config) limitStore() ratelimit.Config {
	return ratelimit.Config{URL: c.LimitStore, URLFile: c.LimitStoreFile, TLSCAFile: c.LimitStoreTLSCAFile}
}

// checkDefences checks what keeps the gateway itself from harm.
func (c Config) checkDefences(fault func(format string, args ...any)) {
	if c.MaxQueueWait < 0 {
		fault("--max-queue-wait: 0 or more, not %s", c.MaxQueueWait)
	}
	if c.MaxBodyBytes != 0 && c.MaxBodyBytes < bodiesLeast*int64(c.MaxBulkBytes) {
		fault("--max-body-bytes: 0, or at least %d times --max-bulk-bytes (%d), not %d", bodiesLeast, bodiesLeast*int64(c.MaxBulkBytes), c.MaxBodyBytes)
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
	if _, err := parseProxies(c.TrustedProxies); err != nil {
		fault("--trusted-proxies: %w", err)
	}
}
