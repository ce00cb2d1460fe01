package main

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"sluice/internal/kafkaconn"
	"sluice/internal/settings"
)

// What sluice dev calls its own on servers that it did not start.
const (
	devTopic     = "dev-events"
	devDeadTopic = "dev-events.dead"
	devGroup     = "sluice-dev"
	devDatabase  = "sluice_dev"
)

// elsewhere are settings that lead to somebody's servers or files. sluice dev takes them from the command line only,
// because a variable or a settings file may be meant for the real programs. Each comes with the flags that overrule it,
// and what to do.
var elsewhere = []struct {
	flag      string
	overruled []string
	then      string
}{
	{"kafka", []string{"kafka-brokers"}, kafkaChoice},
	{"kafka-brokers", []string{"kafka"}, kafkaChoice},
	{"clickhouse", []string{"clickhouse-dsn", "clickhouse-dsn-file"}, clickhouseChoice},
	{"clickhouse-dsn", []string{"clickhouse", "clickhouse-dsn-file"}, clickhouseChoice},
	{"clickhouse-dsn-file", []string{"clickhouse", "clickhouse-dsn"}, clickhouseChoice},
	{"limit-store", []string{"limit-store-file"}, "unset it, or name the Redis with --limit-store"},
	{"limit-store-file", []string{"limit-store"}, "unset it, or name the Redis with --limit-store"},
	{"spool-dir", nil, "the events that wait there would go to the wrong Kafka; unset it, or name a folder with --spool-dir"},
}

const (
	kafkaChoice      = "unset it to use the embedded broker, or name the brokers with --kafka"
	clickhouseChoice = "unset it to use the embedded ClickHouse, or name the server with --clickhouse"
)

// keepApart refuses settings from the environment or a file that would lead dev to somebody else's servers, and puts
// aside those that name the real programs' topics, group and projects. What it puts aside it logs.
func (c *devCmd) keepApart(given map[string]settings.Origin, log *slog.Logger) error {
	onCommandLine := func(flag string) bool { return given[flag].CommandLine }
	var refused []error
	for _, e := range elsewhere {
		origin, ok := given[e.flag]
		switch {
		case !ok || origin.CommandLine:
		case slices.ContainsFunc(e.overruled, onCommandLine):
			c.putAside(e.flag, origin, log)
		default:
			refused = append(refused, fmt.Errorf("%s is set, but sluice dev uses no servers or files that are not named on its command line: %s",
				origin.Place, e.then))
		}
	}
	if err := errors.Join(refused...); err != nil {
		return err
	}
	aside := []string{"kafka-topic", "kafka-dead-topic", "kafka-group", "projects-file", "clickhouse-cluster", "use-existing"}
	if c.ExternalKafka == "" && !onCommandLine("kafka-brokers") {
		aside = append(aside, kafkaLogin(given)...)
	}
	for flag, addr := range map[string]string{"http-addr": c.Gateway.HTTPAddr, "admin-addr": c.Process.AdminAddr} {
		if !loopback(addr) {
			aside = append(aside, flag) // dev's key is known to everybody, and so it is offered to others only if asked
		}
	}
	for _, flag := range aside {
		if origin, ok := given[flag]; ok && !origin.CommandLine {
			c.putAside(flag, origin, log)
		}
	}
	return nil
}

// loopback tells whether an address can be reached from this machine only.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}

// kafkaLogin are the settings of TLS and the login, as far as they were given.
func kafkaLogin(given map[string]settings.Origin) []string {
	var out []string
	for _, flag := range slices.Sorted(maps.Keys(given)) {
		if strings.HasPrefix(flag, "kafka-tls") || strings.HasPrefix(flag, "kafka-sasl-") {
			out = append(out, flag)
		}
	}
	return out
}

// putAside gives a setting its default back.
func (c *devCmd) putAside(flag string, origin settings.Origin, log *slog.Logger) {
	log.Warn("setting is for the real programs and is ignored by sluice dev; give it as a flag to use it", "setting", origin.Place)
	switch flag {
	case "kafka":
		c.ExternalKafka = ""
	case "kafka-brokers":
		c.Kafka.Brokers = nil
	case "clickhouse":
		c.ExternalClickHouse = ""
	case "clickhouse-dsn":
		c.Consumer.Store.ClickHouse.DSN = ""
	case "clickhouse-dsn-file":
		c.Consumer.Store.ClickHouse.DSNFile = ""
	case "limit-store":
		c.Gateway.LimitStore = ""
	case "limit-store-file":
		c.Gateway.LimitStoreFile = ""
	case "http-addr":
		c.Gateway.HTTPAddr = vars["http_addr"]
	case "admin-addr":
		c.Process.AdminAddr = vars["admin_addr"]
	case "kafka-topic":
		c.Kafka.Topic = usualTopic
	case "kafka-dead-topic":
		c.Kafka.DeadTopic = usualDeadTopic
	case "kafka-group":
		c.Consumer.Group = usualGroup
	case "projects-file":
		c.Gateway.ProjectsFile = ""
	case "clickhouse-cluster":
		c.Consumer.Store.ClickHouse.Cluster = ""
	case "use-existing":
		c.UseExisting = false // an agreement is for one run
	default: // TLS and the login
		c.Kafka = kafkaconn.Config{Brokers: c.Kafka.Brokers, Topic: c.Kafka.Topic, DeadTopic: c.Kafka.DeadTopic}
	}
}

// The names that the embedded broker has, which are those of the real programs.
const (
	usualTopic     = "events"
	usualDeadTopic = "events.dead"
	usualGroup     = "sluice"
)

// ownNames gives dev topics, a group and a database of its own on servers that it did not start, unless the command
// line names others.
func (c *devCmd) ownNames(given map[string]settings.Origin) {
	own := func(flag string, target *string, name string) {
		if !given[flag].CommandLine {
			*target = name
		}
	}
	if c.KafkaAddr == "" {
		own("kafka-topic", &c.Kafka.Topic, devTopic)
		own("kafka-dead-topic", &c.Kafka.DeadTopic, devDeadTopic)
		own("kafka-group", &c.Consumer.Group, devGroup)
	}
	if c.ClickHouseAddr == "" {
		c.Consumer.Store.ClickHouse.DSN = withDatabase(c.Consumer.Store.ClickHouse.DSN, devDatabase)
	}
}

// withDatabase adds a database to a DSN that names none. One that cannot be read is left for the check of the settings.
func withDatabase(dsn, database string) string {
	u, err := url.Parse(dsn)
	if dsn == "" || err != nil || strings.Trim(u.Path, "/") != "" || u.Query().Has("database") {
		return dsn
	}
	u.Path = "/" + database
	return u.String()
}
