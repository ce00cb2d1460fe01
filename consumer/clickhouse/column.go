package clickhouse

import (
	"context"
	"regexp"
	"slices"
	"strings"
)

// Column names the column that an insert failed at: the one that ClickHouse's message names, or the one whose expression failed. It asks
// the server for the table's columns, and returns nothing where it cannot tell.
func (p *pool) Column(ctx context.Context, why error) (name string) {
	_ = p.use(ctx, func(i *inserter) error { name = i.Column(ctx, why); return nil })
	return name
}

func (i *inserter) Column(ctx context.Context, why error) string {
	if err := i.connected(ctx); err != nil {
		return ""
	}
	var names, expressions []string
	query := "SELECT concat(name, ' ', default_expression) FROM system.columns WHERE database = " + Quote(i.name) + " AND table = " + Quote(i.table)
	if err := i.texts(ctx, query, func(line string) {
		name, expression, _ := strings.Cut(line, " ")
		names, expressions = append(names, name), append(expressions, expression)
	}); err != nil {
		return ""
	}
	return columnOf(why, names, expressions)
}

// Column asks one of the shards: all have the same tables.
func (c *clusterTable) Column(ctx context.Context, why error) string { return c.door.Column(ctx, why) }

// columnOf finds the column in the message, given all columns and the expressions that some are made by.
func columnOf(why error, names, expressions []string) string {
	if m := columnNamed.FindStringSubmatch(why.Error()); m != nil && slices.Contains(names, m[1]) {
		return m[1]
	}
	failed := words(failedExpression(why))
	if len(failed) == 0 {
		return ""
	}
	var found []string
	for n, expression := range expressions {
		if e := words(expression); len(e) > 0 && (within(failed, e) || failed[0] == "_CAST" && within(e, failed)) {
			found = append(found, names[n])
		}
	}
	return strings.Join(found, " or ")
}

var (
	wordPattern = regexp.MustCompile(`'(?:\\.|[^'\\])*'|[A-Za-z_][A-Za-z0-9_]*|[0-9][0-9.]*`)
	literalType = regexp.MustCompile(`(['\d\])])_[A-Z]\w*(?:\([^()]*\))?`)
)

// operators are functions that a column's definition writes as signs.
var operators = []string{
	"equals", "notEquals", "less", "greater", "lessOrEquals", "greaterOrEquals", "plus", "minus", "multiply", "divide", "modulo", "negate",
	"and", "or", "not", "AND", "OR", "NOT", "concat", "in", "notIn", "IN", "like", "LIKE", "if", "array", "tuple", "arrayElement", "tupleElement",
}

// words are the names and literals of an expression, in their order, without what is written as a sign in one place and as a function in
// another, and without the types that messages add to literals. A message cuts long expressions short: what is cut is left out.
func words(expression string) []string {
	expression, _, _ = strings.Cut(expression, "...")
	expression = strings.ReplaceAll(literalType.ReplaceAllString(expression, "$1"), `\'`, `'`)
	var out []string
	for _, word := range wordPattern.FindAllString(expression, -1) {
		if !slices.Contains(operators, word) {
			out = append(out, strings.Trim(word, "'"))
		}
	}
	return out
}

// within says whether some words come in others, one after the other. The last one may be cut short.
func within(some, others []string) bool {
	last := len(some) - 1
	for at := 0; at+len(some) <= len(others); at++ {
		if slices.Equal(some[:last], others[at:at+last]) && strings.HasPrefix(others[at+last], some[last]) {
			return true
		}
	}
	return false
}
