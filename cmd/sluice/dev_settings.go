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

// These are sluice dev's own names on servers that it did not start.
const (
	devTopic     = "dev-events"
	devDeadTopic = "dev-events.dead"
	devGroup     = "sluice-dev"
	devDatabase  = "sluice_dev"
)

// commandLineOnly lists settings that lead to external servers or files. sluice dev accepts them from the command line
// only, because a variable or a settings file may be meant for the real programs. Each entry has the flags that
// override the setting, and the remedy.
var commandLineOnly = []struct {
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
	{"spool-dir", nil, "its waiting events would go to the wrong Kafka; unset it, or name a folder with --spool-dir"},
}

const (
	kafkaChoice      = "unset it to use the embedded broker, or name the brokers with --kafka"
	clickhouseChoice = "unset it to use the embedded ClickHouse, or name the server with --clickhouse"
)

// keepApart returns an error for settings from the environment or a file that lead dev to external servers. It ignores
// those that name the real programs' topics, group and projects, and logs each.
func (c *devCmd) keepApart(given map[string]settings.Origin, log *slog.Logger) error {
	onCommandLine := func(flag string) bool { return given[flag].CommandLine }
	var refused []error
	for _, e := range commandLineOnly {
		origin, ok := given[e.flag]
		switch {
		case !ok || origin.CommandLine:
		case slices.ContainsFunc(e.overruled, onCommandLine):
			c.ignore(e.flag, origin, log)
		default:
			refused = append(refused,
				fmt.Errorf("%s is set, but sluice dev uses only the servers and files named on its command line: %s",
					origin.Place, e.then))
		}
	}
	if err := errors.Join(refused...); err != nil {
		return err
	}
	aside := []string{"kafka-topic", "kafka-dead-topic", "kafka-group", "projects-file", "clickhouse-cluster",
		"use-existing", "trace-endpoint", "trace-headers", "trace-headers-file"}
	if c.ExternalKafka == "" && !onCommandLine("kafka-brokers") {
		aside = append(aside, kafkaLogin(given)...)
	}
	for flag, addr := range map[string]string{"http-addr": c.Gateway.HTTPAddr, "admin-addr": c.Process.AdminAddr} {
		if !loopback(addr) {
			aside = append(aside, flag) // everybody knows dev's key, so dev listens for other machines only if asked to
		}
	}
	for _, flag := range aside {
		if origin, ok := given[flag]; ok && !origin.CommandLine {
			c.ignore(flag, origin, log)
		}
	}
	return nil
}

// loopback reports whether only this machine can reach an address.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}

// kafkaLogin returns the settings of TLS and login that were given.
func kafkaLogin(given map[string]settings.Origin) []string {
	var out []string
	for _, flag := range slices.Sorted(maps.Keys(given)) {
		if strings.HasPrefix(flag, "kafka-tls") || strings.HasPrefix(flag, "kafka-sasl-") {
			out = append(out, flag)
		}
	}
	return out
}

// ignore gives a setting its default back and logs that.
func (c *devCmd) ignore(flag string, origin settings.Origin, log *slog.Logger) {
	log.Warn("sluice dev ignores this setting of the real programs; set it as a flag to use it",
		"setting", origin.Place)
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
		c.UseExisting = false // the permission is for one run
	default: // TLS and login
		c.Kafka = kafkaconn.Config{Brokers: c.Kafka.Brokers, Topic: c.Kafka.Topic, DeadTopic: c.Kafka.DeadTopic}
	}
}

// These are the names on the embedded broker, the same as in the real programs.
const (
	usualTopic     = "events"
	usualDeadTopic = "events.dead"
	usualGroup     = "sluice"
)

// ownNames gives dev its own topics, group and database on servers that it did not start, unless the command line names
// others.
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

// withDatabase adds a database to a DSN without one. It leaves an invalid DSN for the check of the settings.
func withDatabase(dsn, database string) string {
	u, err := url.Parse(dsn)
	if dsn == "" || err != nil || strings.Trim(u.Path, "/") != "" || u.Query().Has("database") {
		return dsn
	}
	u.Path = "/" + database
	return u.String()
}
