package gateway

import (
	"errors"
	"fmt"
	"net"
	"time"
)

// Config are the gateway's own settings. How Kafka is reached and what the process logs are settings of their own.
type Config struct {
	HTTPAddr            string        `name:"http-addr" default:"${http_addr}" help:"Address of the public port."`
	ProjectsFile        string        `name:"projects-file" placeholder:"FILE" help:"YAML file with the projects, the SHA-256 of their keys and their limits. Read again within 5 s of a change; a broken file keeps the last good one."`
	RequestTimeout      time.Duration `name:"request-timeout" default:"10s" help:"How long a request may wait for Kafka's acknowledgement before it is answered 503. At least 1s."`
	HTTPIdleTimeout     time.Duration `name:"http-idle-timeout" default:"620s" help:"How long an idle keep-alive connection stays open; longer than the load balancer's own idle time, so that it is never the gateway that hangs up first."`
	MaxEventBytes       int           `name:"max-event-bytes" default:"1048576" help:"Largest event, in bytes after decompression; 1 to 1572864, what fits into one Kafka batch."`
	MaxBulkBytes        int           `name:"max-bulk-bytes" default:"5242880" help:"Largest bulk, in bytes before and after decompression; 1 to 67108864."`
	MaxInflightBytes    int64         `name:"max-inflight-bytes" default:"268435456" help:"Event bytes that may wait for Kafka at once; what comes on top is answered 503 at once."`
	KafkaCompression    string        `name:"kafka-compression" default:"snappy" enum:"none,lz4,zstd,snappy,gzip" help:"Codec of the record batches: none, lz4, zstd, snappy or gzip. snappy takes the least time and makes events a third of their size; zstd makes them a fifth, in three times that time."`
	LimitStore          string        `name:"limit-store" placeholder:"URL" help:"Redis through which all gateways share the projects' rate limits: redis://[user:password@]host:port[/db], rediss:// for TLS. Without it, or while it is away, each gateway limits by itself. A flag can be read by others on the machine: prefer the environment or the file."`
	LimitStoreFile      string        `name:"limit-store-file" placeholder:"FILE" help:"File with that URL; read again at each connect."`
	LimitStoreTLSCAFile string        `name:"limit-store-tls-ca-file" placeholder:"FILE" help:"PEM file with the authorities that sign Redis' certificate; without it the system's."`
	PartitionBy         string        `name:"partition-by" default:"none" enum:"none,project,event_id" help:"What decides an event's Kafka partition: none (whole batches go to one partition after another: the fastest), project or event_id."`
}

// Bounds of the size settings, in bytes.
const (
	maxEventBytesBound = 3 << 19
	maxBulkBytesBound  = 64 << 20
)

// Check reports every fault of the settings.
func (c Config) Check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if _, _, err := net.SplitHostPort(c.HTTPAddr); err != nil {
		fault("--http-addr: %q is not host:port", c.HTTPAddr)
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
	if c.MaxInflightBytes < int64(c.MaxBulkBytes) {
		fault("--max-inflight-bytes: at least --max-bulk-bytes (%d), not %d", c.MaxBulkBytes, c.MaxInflightBytes)
	}
	if _, err := newCodec(c.KafkaCompression); err != nil {
		fault("--kafka-compression: %w", err)
	}
	if err := c.checkStore(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}
