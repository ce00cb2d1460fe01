package manual

import (
	"strings"

	"github.com/alecthomas/kong"
)

// Group is a heading in help and in the settings file.
type Group struct {
	// Title is the heading.
	Title string
	// names are the settings under the heading. A name that ends in - stands for all that begin with it.
	names []string
}

// groups are the headings in their order. The first one that names a setting has it.
var groups = []Group{
	{"Public port", []string{
		"http-addr", "http-idle-timeout", "request-timeout", "trusted-proxies", "max-header-bytes", "max-connections",
	}},
	{"TLS on the public port", []string{"http-tls-"}},
	{"Projects and rate limits", []string{"projects-file", "limit-store", "limit-store-", "failed-keys-per-minute"}},
	{"Sizes and overload", []string{
		"max-event-bytes", "max-bulk-bytes", "max-body-bytes", "max-inflight-", "max-queue-wait",
	}},
	{"Spool", []string{"spool-"}},
	{"Kafka", []string{"kafka-", "partition-by"}},
	{"ClickHouse", []string{"clickhouse-", "retention", "project-retention", "outcomes-retention"}},
	{"Access to ClickHouse", []string{"grants", "analysts", "role-prefix", "replace-grants", "analyst-"}},
	{"Batches", []string{"batch-", "block-partitions", "buffer-bytes", "flush-age", "inserts-per-second"}},
	{"Events", []string{"max-event-age", "redact-", "sample"}},
	{"Tracing", []string{"otel-", "otlp-", "trace-", "tracing-"}},
	{"Admin port and shutdown", []string{"admin-addr", "consumer-admin-addr", "console-", "drain-"}},
	{"Log", []string{"log-"}},
}

// Headings of settings without a group, and of what every program has.
const (
	ownTitle     = "Flags"
	generalTitle = "General"
)

// Title returns the heading of a setting.
func Title(flag string) string {
	switch flag {
	case "help", "version", "config":
		return generalTitle
	}
	for _, g := range groups {
		for _, name := range g.names {
			if flag == name || strings.HasSuffix(name, "-") && strings.HasPrefix(flag, name) {
				return g.Title
			}
		}
	}
	return ownTitle
}

// section is a heading with the flags under it.
type section struct {
	title string
	flags []*kong.Flag
}

// sections puts flags under their headings: a command's own ones first, the general ones last.
func sections(flags []*kong.Flag) []section {
	byTitle := map[string][]*kong.Flag{}
	for _, f := range flags {
		title := Title(f.Name)
		byTitle[title] = append(byTitle[title], f)
	}
	var out []section
	add := func(title string) {
		if len(byTitle[title]) > 0 {
			out = append(out, section{title, byTitle[title]})
		}
	}
	add(ownTitle)
	for _, g := range groups {
		add(g.Title)
	}
	add(generalTitle)
	return out
}
