package consumer

import (
	"context"
	"regexp"
	"slices"
	"strings"
)

// column names the column that an insert failed at: the one that ClickHouse's message names, or the one whose expression failed. It asks
// the server for the table's columns, and returns nothing where it cannot tell.
func (p *pool) column(ctx context.Context, why error) (name string) {
	_ = p.use(ctx, func(i *inserter) error { name = i.column(ctx, why); return nil })
	return name
}

func (i *inserter) column(ctx context.Context, why error) string {
	if err := i.connected(ctx); err != nil {
		return ""
	}
	var names, expressions []string
	query := "SELECT concat(name, ' ', default_expression) FROM system.columns WHERE database = " + quoted(i.name) + " AND table = " + quoted(i.table)
	if err := i.texts(ctx, query, func(line string) {
		name, expression, _ := strings.Cut(line, " ")
		names, expressions = append(names, name), append(expressions, expression)
	}); err != nil {
		return ""
	}
	return columnOf(why, names, expressions)
}

// column asks one of the shards: all have the same tables.
func (c *clusterTable) column(ctx context.Context, why error) string { return c.door.column(ctx, why) }

// columnOf finds the column in the message, given all columns and the expressions that some are made by.
func columnOf(why error, names, expressions []string) string {
	if m := columnNamed.FindStringSubmatch(why.Error()); m != nil && slices.Contains(names, m[1]) {
		return m[1]
	}
	failed := bare(failedExpression(why))
	if failed == "" {
		return ""
	}
	var found []string
	for n, expression := range expressions {
		e := bare(expression)
		if e != "" && (strings.Contains(e, failed) || strings.HasPrefix(failed, "_CAST("+e+",")) {
			found = append(found, names[n])
		}
	}
	return strings.Join(found, " or ")
}

var (
	literalType = regexp.MustCompile(`(['\d\])])_[A-Z]\w*(?:\([^()]*\))?`)
	punctuation = strings.NewReplacer(" ", "", `\`, "", "`", "")
)

// bare is an expression without what the server writes now in one way and now in another: blanks, quotes of quotes, and the types of literals.
func bare(expression string) string {
	return punctuation.Replace(literalType.ReplaceAllString(expression, "$1"))
}
