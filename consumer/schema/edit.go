package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"sluice/consumer/clickhouse"
)

// ErrNoSchema is returned where the schema has to be made first.
var ErrNoSchema = errors.New("the schema is not complete: run `consumer migrate` first")

// errViewDiffers is returned where the view of events cannot get another column.
var errViewDiffers = errors.New("the view events has another query than Sluice's: " +
	"`consumer migrate --status` says so, `consumer migrate --replace-views` replaces it")

// EditColumns changes the custom columns of the tables of events and of the view events, and nothing else of the
// schema. It returns the statements in their order. With dry it runs none. It may be run again after an interruption,
// and does then what is left. A column that comes has its values in new rows; in old parts ClickHouse computes them
// when it reads.
func (m *Migrator) EditColumns(ctx context.Context, edit ColumnEdit, dry bool) (statements []string, err error) {
	m.edit = edit
	defer func() { m.edit = ColumnEdit{} }()
	err = m.connect(ctx, func(db *sql.DB, v variant) error {
		p, err := m.plan(ctx, db, v)
		if err != nil {
			return err
		}
		steps, err := p.customSteps(v)
		if err != nil {
			return err
		}
		for _, s := range steps {
			statements = append(statements, s.statement)
		}
		if dry {
			return nil
		}
		return m.run(ctx, db, steps)
	})
	return statements, err
}

// customSteps are the steps that concern custom columns. It fails where these would not be enough.
func (p *migration) customSteps(v variant) ([]change, error) {
	for _, what := range []string{
		"database " + v.Database, "table " + v.Table(), "table " + clickhouse.TableName, "view " + eventsView,
	} {
		for _, f := range p.findings {
			switch {
			case f.what != what || f.state == stateThere:
			case f.state == stateMissing:
				return nil, fmt.Errorf("%w: there is no %s", ErrNoSchema, what)
			case what == "view "+eventsView:
				return nil, errViewDiffers
			default:
				return nil, fmt.Errorf("%s: %s", f.what, f.detail)
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(p.steps), func(s change) bool { return !s.custom }), nil
}
