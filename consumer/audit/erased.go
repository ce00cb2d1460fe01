package audit

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"sluice/consumer/clickhouse"
	"sluice/consumer/rowbuilder"
	"sluice/consumer/rows"
	"sluice/internal/erasure"
	"sluice/internal/recordbatch"
)

// readErasures reads which projects and users were erased.
func (a *audit) readErasures(ctx context.Context) error {
	var marks []erasure.Mark
	err := a.db.ask(ctx, "SELECT "+erasure.TextOf+" FROM {db}."+clickhouse.ErasuresTable, func(r *sql.Rows) error {
		var text string
		if err := r.Scan(&text); err != nil {
			return err
		}
		m, err := erasure.Parse(text)
		marks = append(marks, m)
		return err
	})
	if errors.Is(err, errMayNot) {
		a.warn("the erasures cannot be read, so erased events may count as unaccounted: %v", err)
		return nil
	}
	if errors.Is(err, errNoTable) {
		return nil // then nothing was erased
	}
	a.erasures = erasure.NewList(marks)
	return err
}

// erasedReader tells which records are of erased events, by the rows that a consumer would make of them.
type erasedReader struct {
	list    *erasure.List
	looker  *erasure.Looker
	builder rowbuilder.Builder
	block   *rows.Block
}

// newErasedReader returns nil, which covers nothing, if nothing was erased.
func newErasedReader(list *erasure.List) *erasedReader {
	if list == nil {
		return nil
	}
	return &erasedReader{list: list, looker: list.Looker(), block: rows.New()}
}

func (e *erasedReader) covers(project string, received time.Time, record *recordbatch.Record) bool {
	if e == nil || !e.list.HasProject([]byte(project)) {
		return false
	}
	e.block.Reset()
	if e.builder.Build(record, e.block) != nil {
		return e.list.WholeProject(project, received)
	}
	for row, o := range e.block.Owners() {
		return e.looker.Covers(o.Project, o.User, o.Email, e.block.TimesOf(row))
	}
	return false
}
