package settings

import (
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// everyProgram lists the settings of all of Sluice's programs, so that each program can tell another program's setting
// from a misspelling. A test of each program fails if the list lacks one of its flags.
var everyProgram = []string{
	"admin-addr", "all", "allow-less-safety", "allow-removal", "analyst-max-memory", "analyst-max-queries",
	"analyst-max-result-rows", "analyst-max-rows-read", "analyst-max-time", "analysts", "at", "batch-bytes",
	"batch-rows", "block-partitions", "buffer-bytes", "bulk", "ca-file", "canary", "check", "clickhouse",
	"clickhouse-addr",
	"clickhouse-cluster", "clickhouse-dsn", "clickhouse-dsn-file", "clickhouse-http-addr", "clickhouse-quorum",
	"cloud", "config", "confirm", "connect-timeout", "connections", "console-consumers", "consumer-admin-addr",
	"consumers", "cores", "count", "data-dir", "days", "drain-delay", "drain-timeout", "dry-run", "duration",
	"email", "event-bytes", "event-size", "events", "events-per-second", "every", "failed-keys-per-minute",
	"figures", "fix", "flush-age", "from", "fsync", "gateways", "give-up", "grants", "gzip", "headroom",
	"http-addr", "http-idle-timeout", "http-tls-cert-file", "http-tls-key-file", "inserts-per-second", "json",
	"kafka", "kafka-addr", "kafka-brokers", "kafka-compression", "kafka-dead-topic", "kafka-group",
	"kafka-sasl-mechanism", "kafka-sasl-password", "kafka-sasl-password-file", "kafka-sasl-username", "kafka-tls",
	"kafka-tls-ca-file", "kafka-tls-cert-file", "kafka-tls-key-file", "kafka-topic", "key", "late-after", "ledger",
	"limit", "limit-store", "limit-store-file", "limit-store-tls-ca-file", "log-format", "log-level",
	"max-body-bytes", "max-bulk-bytes", "max-connections", "max-event-age", "max-event-bytes", "max-header-bytes",
	"max-inflight-bytes", "max-inflight-requests", "max-lookups", "max-queue-wait", "measure", "min-isr", "name",
	"network-bytes", "no-backfill", "note", "oldest", "outage", "outcomes-retention", "partition-by", "partitions",
	"peak-factor", "price-core-hour", "price-disk-month", "price-memory-hour", "price-network", "project",
	"project-retention", "projects-file", "rate", "realistic", "reason", "receipt", "redact-keys",
	"redact-patterns", "rejects", "repeat", "replace-grants", "replace-views", "replicas", "replication",
	"request-timeout", "resend-window", "restart", "retention", "rewrite-spool", "role-prefix", "sample", "save",
	"second-look", "seed", "server-cores", "server-disk-bytes", "shards", "shorten-retention", "since", "spool-dir",
	"spool-max-age", "spool-max-bytes", "state", "status", "strict", "table", "timeout", "to", "topic-retention",
	"topic-retention-bytes", "trace-endpoint", "trace-headers", "trace-headers-file", "trace-per-second",
	"trace-sample", "trusted-proxies", "until", "url", "use-existing", "user", "verify", "verify-settle",
	"verify-timeout", "wait", "write", "yes",
}

// Known reports whether the list of all programs' flags contains flag.
func Known(flag string) bool { return slices.Contains(everyProgram, flag) }

// All returns the flags of all programs, sorted.
func All() []string { return slices.Sorted(slices.Values(everyProgram)) }

func isOtherProgram(variable string) bool {
	return slices.ContainsFunc(everyProgram, func(flag string) bool { return Variable(flag) == variable })
}

// kubernetesService matches the variables that Kubernetes sets in every pod of a namespace with a Service called sluice
// or sluice-…: SLUICE_GATEWAY_SERVICE_HOST, SLUICE_GATEWAY_SERVICE_PORT_HTTP, SLUICE_GATEWAY_PORT,
// SLUICE_GATEWAY_PORT_8080_TCP_ADDR.
var kubernetesService = regexp.MustCompile(`^SLUICE_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

func names(known map[string]*kong.Flag) []string {
	out := make([]string, 0, len(known))
	for name := range known {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func variables(known map[string]*kong.Flag) []string {
	out := names(known)
	for i, name := range out {
		out[i] = Variable(name)
	}
	return out
}

// suggest returns a hint with the nearest known word, if one is near enough to be a typing error.
func suggest(word string, known []string) string {
	best := Nearest(word, known)
	if best == "" {
		return "; --help lists all of them"
	}
	return "; did you mean " + best + "?"
}

// Nearest returns the nearest known word, at most three letters off, or "".
func Nearest(word string, known []string) string {
	best, at := "", 4
	if len(word) > 64 {
		return ""
	}
	for _, k := range known {
		if d := distance(word, k); d < at {
			best, at = k, d
		}
	}
	return best
}

// distance returns the Levenshtein distance: how many letters to insert, delete or replace to turn a into b.
func distance(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		previous := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			previous, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, previous+cost)
		}
	}
	return row[len(b)]
}
