package backfill

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"sluice/internal/event"
	"sluice/internal/settings"
)

// Config holds the flags of `sluice load` that are about files.
type Config struct {
	From    []string `name:"from" sep:"none" placeholder:"FILE" help:"Send the events of this file instead of generated ones: NDJSON or a JSON array, plain, gzip or zstd. Can be given several times; - is standard input. A run that was stopped or killed continues where it was."`
	State   string   `name:"state" placeholder:"FILE" help:"With --from: where to keep the progress. Default: the name of the file and .sluice-progress. Standard input has no default: without --state, its import cannot continue."`
	Rejects string   `name:"rejects" placeholder:"FILE" help:"With --from: append every line that cannot become an event to this file, as one JSON object with the number of the line, the error and the line itself."`
	Restart bool     `name:"restart" help:"With --from: forget the progress and send the file from its beginning. Events that were sent before stay one row each."`
	DryRun  bool     `name:"dry-run" help:"With --from: check the file and count its events; send nothing."`
}

// Target says where and how to send. cmd/sluice takes it from the other flags of `sluice load`.
type Target struct {
	URL string // of the gateway: http or https, with the path before /api/v1, if any
	Key string // of the project

	Bulk        int // events per request, 1 to 10,000; 0: DefaultBulk
	Connections int // concurrent requests; 0: 1
	Rate        float64
	Gzip        bool // compress request bodies

	Timeout time.Duration // for an answer; 0: 30 s
	GiveUp  time.Duration // without any acknowledgement; 0: 2 min
	Connect time.Duration // how long the gateway may be unreachable at the start; 0: 10 s

	JSON bool // print only the report, as JSON
}

// DefaultBulk is how many events a request has unless --bulk says otherwise.
const DefaultBulk = 500

// bulkBytes bounds the body of a request, in bytes. It leaves room below event.MaxBulkBytes. A single event may be
// larger than what is left, so a body is at most bulkBytes + event.MaxEventBytes.
const bulkBytes = event.MaxBulkBytes - event.MaxEventBytes - 4096

// validate reports every fault of the settings.
func (c Config) validate(t Target) error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	u, err := url.Parse(t.URL)
	check(err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https"),
		"--url: not an http or https URL: %s", settings.Shown(t.URL))
	check(t.Bulk >= 0 && t.Bulk <= event.MaxBulkEvents, "--bulk: must be between 0 and %d events", event.MaxBulkEvents)
	check(t.Connections >= 0 && t.Connections <= 1000, "--connections: must be between 1 and 1000 with --from")
	check(t.Rate >= 0, "--rate: must not be negative")
	check(t.Timeout >= 0, "--timeout: must not be negative")
	check(t.GiveUp >= 0, "--give-up: must not be negative")
	check(len(c.From) > 0, "--from: name a file")
	check(c.State == "" || len(c.From) <= 1, "--state: holds the progress of one file, but --from was given %d times",
		len(c.From))
	seen := map[string]bool{}
	for _, name := range c.From {
		check(name != "", "--from: the name of a file must not be empty")
		check(!seen[name], "--from: %s is given twice", name)
		seen[name] = true
	}
	return errors.Join(faults...)
}

func (t Target) withDefaults() Target {
	set(&t.Bulk, DefaultBulk)
	set(&t.Connections, 1)
	set(&t.Timeout, 30*time.Second)
	set(&t.GiveUp, 2*time.Minute)
	set(&t.Connect, 10*time.Second)
	return t
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
