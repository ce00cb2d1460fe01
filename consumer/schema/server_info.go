package schema

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"sluice/consumer/clickhouse"
)

// serverInfo is what a migration must know of a server before it changes anything there.
type serverInfo struct {
	clickhouse.Server
	clusters []string
	macros   []string
	engine   string // of events_raw; empty: there is no such table
}

// inspect asks a server. It asks for clusters and macros only where they matter, because not every user may read them.
func inspect(ctx context.Context, db *sql.DB, v variant) (*serverInfo, error) {
	server, err := clickhouse.Inspect(ctx, db)
	if err != nil {
		return nil, err
	}
	s := &serverInfo{Server: *server}
	if v.Cluster != "" {
		if s.clusters, err = clickhouse.Texts(ctx, db, "SELECT DISTINCT cluster FROM system.clusters ORDER BY cluster"); err != nil {
			return nil, err
		}
		if s.macros, err = clickhouse.Texts(ctx, db, "SELECT macro FROM system.macros"); err != nil {
			return nil, err
		}
	}
	engines, err := clickhouse.Texts(ctx, db, "SELECT engine FROM system.tables WHERE database = "+clickhouse.Quote(v.Database)+
		" AND name = "+clickhouse.Quote(clickhouse.TableName))
	if len(engines) > 0 {
		s.engine = engines[0]
	}
	return s, err
}

// fits says in one sentence why the schema cannot be made on the server, or returns nil.
func (s *serverInfo) fits(v variant) error {
	if err := s.Unsuitable(); err != nil {
		return err
	}
	table := v.Database + "." + clickhouse.TableName
	switch {
	case v.Cluster != "" && s.Cloud:
		return clickhouse.ErrCloud
	case v.Cluster == "" && s.engine == "Distributed":
		return clickhouse.UnsuitableError(table + " was made for a cluster: name it with --clickhouse-cluster")
	case v.Cluster == "":
		return nil
	case s.engine != "" && s.engine != "Distributed":
		return clickhouse.UnsuitableError(table +
			" is the table of a single server: give the cluster another database, and copy the rows")
	case !slices.Contains(s.clusters, v.Cluster):
		return clickhouse.UnsuitableError(fmt.Sprintf("--clickhouse-cluster: the server knows no cluster %s; it knows: %s",
			v.Cluster, strings.Join(s.clusters, ", ")))
	}
	for _, macro := range []string{"shard", "replica"} {
		if !slices.Contains(s.macros, macro) {
			return clickhouse.UnsuitableError("the server has no macro {" + macro +
				"}, by which replicated tables know each other: define it in each server's configuration")
		}
	}
	return nil
}
