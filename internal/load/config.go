package load

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"sluice/internal/settings"
)

// These are the gateway's limits, in bytes after decompression and in events. A run that exceeds them would only
// measure refusals.
const (
	maxEventBytes = 1 << 20
	maxBulkBytes  = 5 << 20
	maxBulkEvents = 10_000
)

// DefaultEvents is how many events a run sends if neither a number nor a duration is set.
const DefaultEvents = 100_000

// Config holds the settings of a run. cmd/sluice embeds this struct as the flags of `sluice load`, and the help texts
// are its manual. A field with its zero value takes the default of its tag.
type Config struct {
	URL string `name:"url" default:"http://127.0.0.1:8080" help:"URL of the gateway: http or https, with the path before /api/v1, if any."`
	Key string `name:"key" default:"dev-key" help:"Key of the events' project."`

	Events   int           `name:"events" default:"0" placeholder:"N" help:"How many events to send. 0 without --duration means 100000; 0 with it means no limit."`
	Duration time.Duration `name:"duration" default:"0s" placeholder:"D" help:"How long to send new events, e.g. 90s. The run then still resends events until they are acknowledged. 0: until --events are sent."`
	Rate     float64       `name:"rate" default:"0" placeholder:"R" help:"Events a second, on a fixed schedule. Latency counts from the scheduled time, so it includes the wait behind slow answers. 0: as fast as the connections allow."`

	Bulk        int  `name:"bulk" default:"0" help:"Events per request, at most 10000. 1: the endpoint for single events; more: the bulk endpoint. 0: 1, but 500 with --from and --realistic."`
	Connections int  `name:"connections" default:"16" help:"Connections, and so concurrent requests."`
	EventSize   int  `name:"event-size" default:"200" help:"Size of an event's JSON in bytes, at least about 200. Larger events have a stack trace, a user and free text."`
	Gzip        bool `name:"gzip" help:"Compress request bodies with gzip."`

	Timeout    time.Duration `name:"timeout" default:"30s" help:"How long to wait for an answer before sending the event again. Should be longer than the gateway's --request-timeout."`
	GiveUp     time.Duration `name:"give-up" default:"2m" help:"The run ends if the gateway acknowledges nothing for this long; the report counts the rest as unacknowledged. A single event that is refused again and again gets ten times as long."`
	Connection `embed:""`
	Repeat     float64 `name:"repeat" default:"0" placeholder:"SHARE" help:"Share of requests, 0 to 1, to send a second time after their acknowledgement, like a client that lost the answer. They must not create second rows."`

	ClickHouse string `name:"clickhouse" default:"clickhouse://127.0.0.1:9000/sluice" help:"DSN of the ClickHouse that --verify reads. Default database: sluice."`
	Verify     bool   `name:"verify" help:"Wait until the events are in ClickHouse and compare each; report missing, doubled, altered and foreign ones."`
	VerifyWait `embed:""`
	Project    string `name:"project" placeholder:"ID" help:"Id of the key's project. --verify then expects it in every row; without it, the same project in every row."`

	JSON   bool   `name:"json" help:"Print only the report, as one JSON document."`
	Ledger string `name:"ledger" placeholder:"FILE" help:"Write the fate of each event to this file: one line per event with event_id, state and the XXH64 of its bytes, separated by tabs."`

	Contents `embed:""`
}

// Contents chooses what the events say.
type Contents struct {
	Seed      uint64 `name:"seed" default:"0" placeholder:"N" help:"Seed of the events' contents. Ids and times still differ in every run, but not with --realistic: the same seed and period give the same bytes. 0: random."`
	Realistic bool   `name:"realistic" help:"Send events as the SDKs of an online shop would have sent them over some weeks: errors of six services with stack traces, logs, page views and product events of users, with releases, sessions and a daily and weekly rhythm. 0.5 to 3.5 KB each."`
	Days      int    `name:"days" default:"30" help:"With --realistic: the length of the period that the events fill, in days. Keep it below the consumer's --max-event-age."`
	Until     string `name:"until" placeholder:"TIME" help:"With --realistic: the end of the period, in RFC 3339. Default: now; with --seed the last midnight in UTC, so that runs of one day are the same."`
	Write     string `name:"write" placeholder:"FILE" help:"Write the events to this file, one a line, and send nothing; compressed if its name ends with .gz or .zst. - is standard output."`
}

// Connection holds how the gateway is reached.
type Connection struct {
	Connect time.Duration `name:"connect-timeout" default:"10s" help:"How long the gateway may be unreachable at the start."`
	CAFile  string        `name:"ca-file" placeholder:"FILE" help:"PEM file with the authorities that sign the certificate of an https gateway, besides those of the system."`
}

// VerifyWait holds the times after which --verify takes the rows as complete.
type VerifyWait struct {
	VerifyTimeout time.Duration `name:"verify-timeout" default:"60s" help:"How long --verify waits for another new row before it reports the rest as missing."`
	VerifySettle  time.Duration `name:"verify-settle" default:"3s" help:"How long the number of rows must stay the same before --verify takes it as final."`
}

// Validate reports every fault of the settings, joined with errors.Join.
func (c Config) Validate() error {
	c = c.withDefaults()
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	u, err := url.Parse(c.URL)
	check(err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https"),
		"--url: not an http or https URL: %s", settings.Shown(c.URL))
	_, err = c.authorities()
	check(err == nil, "--ca-file: %w", err)
	check(c.Events >= 0, "--events: must not be negative")
	check(c.Duration >= 0, "--duration: must not be negative")
	check(c.Rate >= 0 && c.Rate <= 1e9, "--rate: must be between 0 and 1000000000 events a second")
	check(c.Bulk >= 0 && c.Bulk <= maxBulkEvents, "--bulk: must be between 0 and %d events", maxBulkEvents)
	check(c.Connections >= 1 && c.Connections <= 10_000, "--connections: must be between 1 and 10000")
	check(c.EventSize >= 0 && c.EventSize <= maxEventBytes, "--event-size: must be between 0 and %d bytes",
		maxEventBytes)
	_, err = c.until(time.Now())
	check(err == nil, "--until: not a time in RFC 3339, for instance 2026-11-28T00:00:00Z")
	check(c.Days >= 0 && c.Days <= maxDays, "--days: must be between 1 and %d", maxDays)
	check(!c.Realistic || c.Bulk*realisticBytes <= maxBulkBytes, "--bulk: must be at most %d with --realistic",
		maxBulkBytes/realisticBytes)
	check(c.Bulk*(max(c.EventSize, fixedBytes)+1)+1 <= maxBulkBytes || c.Bulk <= 1,
		"--bulk %d of --event-size %d exceeds the %d bytes of a bulk request", c.Bulk, c.EventSize, maxBulkBytes)
	check(c.Repeat >= 0 && c.Repeat <= 1, "--repeat: must be between 0 and 1")
	check(c.Timeout > 0, "--timeout: must be positive")
	check(c.GiveUp > 0, "--give-up: must be positive")
	check(c.Connect > 0, "--connect-timeout: must be positive")
	check(c.VerifyTimeout > 0, "--verify-timeout: must be positive")
	check(c.VerifySettle > 0, "--verify-settle: must be positive")
	check(c.ClickHouse != "" || !c.Verify, "--verify needs --clickhouse")
	return errors.Join(faults...)
}

// withDefaults fills in the zero fields of a caller without flags.
func (c Config) withDefaults() Config {
	if c.Realistic {
		set(&c.Bulk, realisticBulk)
	}
	set(&c.URL, "http://127.0.0.1:8080")
	set(&c.Key, "dev-key")
	set(&c.ClickHouse, "clickhouse://127.0.0.1:9000/sluice")
	set(&c.Connections, 16)
	set(&c.EventSize, 200)
	set(&c.Bulk, 1)
	set(&c.Days, 30)
	set(&c.Timeout, 30*time.Second)
	set(&c.GiveUp, 2*time.Minute)
	set(&c.Connect, 10*time.Second)
	set(&c.VerifyTimeout, time.Minute)
	set(&c.VerifySettle, 3*time.Second)
	if c.Events == 0 && c.Duration == 0 {
		c.Events = DefaultEvents
	}
	return c
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// These bound runs with --realistic.
const (
	realisticBulk  = 500
	realisticBytes = 4 << 10 // the most that a realistic event takes, in bytes
	maxDays        = 3650
)

// until returns the end of the period.
func (c Contents) until(now time.Time) (time.Time, error) {
	switch {
	case c.Until != "":
		at, err := time.Parse(time.RFC3339, c.Until)
		if err != nil {
			return time.Time{}, fmt.Errorf("--until: %w", err)
		}
		return at.UTC(), nil
	case c.Seed != 0:
		return now.UTC().Truncate(24 * time.Hour), nil
	default:
		return now.UTC().Truncate(time.Second), nil
	}
}

// expected is how many events the period is made for. A longer run begins the period anew.
func (c Config) expected() int64 {
	if c.Events > 0 {
		return int64(c.Events)
	}
	if c.Rate > 0 {
		return int64(c.Rate*c.Duration.Seconds()) + 1
	}
	return 1_000_000
}
