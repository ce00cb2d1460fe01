package grants

import (
	"fmt"
	"strings"
)

// functionDatabase is where ClickHouse keeps the tables that table functions return. A row policy there holds for a
// function, whatever arguments it has.
const functionDatabase = "_table_function"

// hiddenFunctions read the index of a table, and need no right but SELECT on the table: versions of ClickHouse before
// August 2026 let them show the keys, and the words, of rows that a policy hides.
var hiddenFunctions = []string{
	"mergeTreeAnalyzeIndexes", "mergeTreeAnalyzeIndexesUUID", "mergeTreeIndex", "mergeTreeProjection",
	"mergeTreeTextIndex",
}

// policy is a row policy.
type policy struct {
	name, database, table string
	condition             string
	restrictive           bool
	to                    string // as the statement has it
	asked                 bool   // --analysts names the role
}

// policies are the row policies, in the order in which they are made. The first one of a table lets everybody but
// analysts see all rows: on some servers a table with a policy hides all rows from users without one, and a consumer
// that sees no rows inserts them again. The last ones are those of the sets.
//
// The conditions of a user's policies are combined with OR. So a user with several roles sees the projects of all of
// them, and a user with the role analyst alone sees nothing.
func (p place) policies(sets []foundSet) []policy {
	var out []policy
	for _, o := range objects {
		if o.project == "" || !o.analyst {
			continue
		}
		for _, table := range o.tables(p.cluster != "") {
			on := policy{database: p.database, table: table}
			others, hidden := on, on
			others.name, others.condition, others.to = othersPolicy, "1", "ALL EXCEPT "+p.analyst()
			hidden.name, hidden.condition, hidden.to = p.hidden(), "0", p.analyst()
			out = append(out, others, hidden)
			for _, s := range sets {
				one := on
				one.name, one.to, one.asked = p.role(s.name), p.role(s.name), s.asked
				if one.condition = s.condition; s.asked {
					one.condition = condition(o.project, s.projects)
				}
				out = append(out, one)
			}
		}
	}
	for _, f := range hiddenFunctions {
		on := policy{database: functionDatabase, table: f}
		others, hidden := on, on
		others.name, others.condition, others.to = othersPolicy, "1", "ALL"
		hidden.name, hidden.condition, hidden.to, hidden.restrictive = p.hidden(), "0", p.analyst(), true
		out = append(out, others, hidden)
	}
	return out
}

// condition is that a row is of one of the projects. Without projects it holds for all rows.
func condition(column string, projects []string) string {
	if len(projects) == 0 {
		return "1"
	}
	return fmt.Sprintf("%s IN (%s)", column, quoteAll(projects))
}

func (q policy) kind() string {
	if q.restrictive {
		return "RESTRICTIVE"
	}
	return "PERMISSIVE"
}

// statement begins with CREATE ROW POLICY IF NOT EXISTS or with ALTER ROW POLICY.
func (q policy) statement(verb string, p place) string {
	return fmt.Sprintf("%s %s%s ON %s.%s USING %s AS %s TO %s", verb, q.name, p.onCluster(), q.database, q.table,
		q.condition, q.kind(), q.to)
}

// text is the policy as the inventory has it.
func (q policy) text() string { return policyText(q.kind(), q.condition, q.to) }

func policyText(kind, condition, to string) string {
	return kind + " " + plainCondition(condition) + " TO " + to
}

// plainCondition is a condition without what ClickHouse may write in another way.
func plainCondition(condition string) string {
	return strings.NewReplacer(" ", "", "(", "", ")", "", "`", "").Replace(condition)
}
