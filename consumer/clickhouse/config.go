package clickhouse

import (
	"errors"
	"regexp"
	"strconv"
)

// Config says how ClickHouse is reached.
type Config struct {
	DSN     string `name:"clickhouse-dsn" placeholder:"DSN" default:"${clickhouse_dsn}" help:"ClickHouse as clickhouse://user:password@host:9000/database (native; ?secure=true for TLS) or https://…. With ?compress=none, lz4 or zstd blocks travel so; otherwise as lz4, or as they are to a server on this machine. The database is sluice unless named. A flag can be read by others on the machine: prefer the environment or the file for passwords."`
	DSNFile string `name:"clickhouse-dsn-file" placeholder:"FILE" help:"File with the DSN; read again at each connect."`
	Cluster string `name:"clickhouse-cluster" placeholder:"NAME" help:"Cluster of ClickHouse, as system.clusters names it: tables are replicated, and rows go to the shard of their event. Not for ClickHouse Cloud, which does that by itself."`
	Quorum  string `name:"clickhouse-quorum" default:"auto" help:"With clickhouse-cluster: how many replicas of a shard must have a block before it counts as in; auto is most of them, so both of two. With 1 what is on one replica's disk alone is lost with it."`
}

// DefaultDSN is a server on this machine.
const DefaultDSN = "clickhouse://127.0.0.1:9000/sluice"

// clusterName keeps names out of SQL that would need quoting, and macros, which system.clusters does not know.
var clusterName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,64}$`)

// Check reports every fault of the settings.
func (c Config) Check() error {
	var faults []error
	if c.Cluster != "" && !clusterName.MatchString(c.Cluster) {
		faults = append(faults, errors.New("--clickhouse-cluster: letters, digits, underscores, dots and dashes, at most 64"))
	}
	if _, err := quorumOf(c.Quorum, 1); err != nil {
		faults = append(faults, err)
	}
	if _, err := c.Options(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// quorumOf is how many of a shard's replicas must have a block.
func quorumOf(setting string, replicas int) (int, error) {
	if setting == "auto" || setting == "" {
		return replicas/2 + 1, nil
	}
	if n, err := strconv.Atoi(setting); err == nil && n >= 1 && n <= 100 {
		return n, nil
	}
	return 0, errors.New("--clickhouse-quorum: auto, or 1 to 100")
}
