package schema

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sluice/consumer/clickhouse"
	"strings"
)

// survey is what a migration must know of a server before it changes anything there.
type survey struct {
	clickhouse.Server
	clusters []string
	macros   []string
	engine   string // of events_raw; empty: it is not there
}

// look surveys a server. Clusters and macros are asked for only where they matter: not every user may read them.
func look(ctx context.Context, db *sql.DB, f flavour) (*survey, error) {
	known, err := clickhouse.Inspect(ctx, db)
	if err != nil {
		return nil, err
	}
	s := &survey{Server: *known}
	if f.cluster != "" {
		if err := texts(ctx, db, "SELECT DISTINCT cluster FROM system.clusters ORDER BY cluster", &s.clusters); err != nil {
			return nil, err
		}
		if err := texts(ctx, db, "SELECT macro FROM system.macros", &s.macros); err != nil {
			return nil, err
		}
	}
	var engines []string
	err = texts(ctx, db, "SELECT engine FROM system.tables WHERE database = "+clickhouse.Quote(f.database)+" AND name = "+clickhouse.Quote(clickhouse.TableName), &engines)
	if len(engines) > 0 {
		s.engine = engines[0]
	}
	return s, err
}

func texts(ctx context.Context, db *sql.DB, query string, to *[]string) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("look at the server: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err says it
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return fmt.Errorf("look at the server: %w", err)
		}
		*to = append(*to, text)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("look at the server: %w", err)
	}
	return nil
}

// fits says why the schema cannot be made there, in one sentence for who runs the migration.
func (s *survey) fits(f flavour) error {
	if err := s.Unfit(); err != nil {
		return err
	}
	switch {
	case f.cluster != "" && s.Cloud:
		return clickhouse.ErrCloud
	case f.cluster == "" && s.engine == "Distributed":
		return clickhouse.UnfitError(f.database + "." + clickhouse.TableName + " was made for a cluster: name it with --clickhouse-cluster")
	case f.cluster == "":
		return nil
	case s.engine != "" && s.engine != "Distributed":
		return clickhouse.UnfitError(f.database + "." + clickhouse.TableName + " is the table of a single server: give the cluster another database, and copy the rows")
	case !slices.Contains(s.clusters, f.cluster):
		return clickhouse.UnfitError(fmt.Sprintf("--clickhouse-cluster: the server knows no cluster %s; it knows: %s", f.cluster, strings.Join(s.clusters, ", ")))
	}
	for _, macro := range []string{"shard", "replica"} {
		if !slices.Contains(s.macros, macro) {
			return clickhouse.UnfitError("the server has no macro {" + macro + "}, by which replicated tables know each other: define it in each server's configuration")
		}
	}
	return nil
}
