package columns

import (
	"context"
	"encoding/json"
	"fmt"

	"sluice/consumer/clickhouse"
	"sluice/consumer/schema"
)

// Remove removes a custom column from the view and the table of events. Nothing is lost that the payload does not have.
// A backfill of the column that is under way ends first: ClickHouse could not finish it without the column, and nothing
// that changes rows after it.
func (m *Manager) Remove(ctx context.Context, name string, dry bool) error {
	return m.connect(ctx, func(s *session) error {
		if _, err := s.find(ctx, name); err != nil {
			return err
		}
		running, err := s.mutations(ctx, name)
		if err != nil {
			return err
		}
		if dry {
			if len(running) > 0 {
				s.printf("%s;\n", s.kill(running))
			}
			statements, err := m.edit(ctx, schema.ColumnEdit{Remove: name}, true)
			if err == nil {
				s.printStatements(statements)
			}
			return err
		}
		if len(running) > 0 {
			if err := s.exec(ctx, s.kill(running)); err != nil {
				return err
			}
		}
		if _, err := m.edit(ctx, schema.ColumnEdit{Remove: name}, false); err != nil {
			return err
		}
		if m.json {
			return json.NewEncoder(m.out).Encode(map[string]string{"removed": name})
		}
		m.printf("removed the column %s from events", name)
		return nil
	})
}

// kill is the statement that ends mutations.
func (s *session) kill(running []mutation) string {
	text := "KILL MUTATION"
	if s.cfg.Cluster != "" {
		text += " ON CLUSTER " + clickhouse.Quote(s.cfg.Cluster)
	}
	ids := ""
	for i, m := range running {
		if i > 0 {
			ids += ", "
		}
		ids += clickhouse.Quote(m.id)
	}
	return fmt.Sprintf("%s WHERE %s AND mutation_id IN (%s) SYNC", text, s.ofTable(), ids)
}
