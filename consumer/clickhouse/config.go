package clickhouse

import (
	"errors"
	"regexp"
	"strconv"
)

// Config says how ClickHouse is reached.
type Config struct {
	DSN     string `name:"clickhouse-dsn" placeholder:"DSN" default:"${clickhouse_dsn}" help:"ClickHouse as clickhouse://user:password@host:9000/database (native; ?secure=true for TLS) or https://…. Blocks are compressed with LZ4, except on the way to a server on this machine; ?compress=none, lz4 or zstd chooses. The database is sluice unless the DSN names one. Others on the machine can read a flag: prefer the environment or the file for passwords."`
	DSNFile string `name:"clickhouse-dsn-file" placeholder:"FILE" help:"File with the DSN. It is read again at each connect."`
	Cluster string `name:"clickhouse-cluster" placeholder:"NAME" help:"ClickHouse cluster, as system.clusters names it. Tables are replicated, and each event goes to one shard. Not for ClickHouse Cloud, which replicates by itself."`
	Quorum  string `name:"clickhouse-quorum" default:"auto" help:"With clickhouse-cluster: how many replicas of a shard must have a block before the block counts as inserted. auto is a majority, so both of two. With 1, rows that only one replica has are lost with its disk."`
}

// DefaultDSN is a server on this machine.
const DefaultDSN = "clickhouse://127.0.0.1:9000/sluice"

// clusterName allows names that SQL needs no quotes for. It excludes macros, which system.clusters does not know.
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

// ReadsAll says that a read sees every acknowledged row. On a cluster whose quorum is not a majority, it may miss rows of
// a replica that is away.
func (c Config) ReadsAll() bool { return c.Cluster == "" || c.Quorum == "auto" }

// quorumOf is how many of a shard's replicas must have a block, by the setting. It may be more than the shard has.
func quorumOf(setting string, replicas int) (int, error) {
	if setting == "auto" || setting == "" {
		return replicas/2 + 1, nil
	}
	if n, err := strconv.Atoi(setting); err == nil && n >= 1 && n <= 100 {
		return n, nil
	}
	return 0, errors.New("--clickhouse-quorum: auto, or 1 to 100")
}
