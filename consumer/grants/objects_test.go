package grants

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
)

// Every table and view of the schema is in the list: whoever adds one decides who may read it. What analysts read
// belongs to projects.
func TestObjectsAreTheSchema(t *testing.T) {
	for kind, cluster := range map[string]bool{"plain": false, "cluster": true, "cloud": false} {
		var schema, listed []string
		tables := map[string]string{}
		for _, statement := range clickhousetest.Statements(kind, "sluice")[1:] {
			first, _, _ := strings.Cut(statement, "\n")
			words := strings.Fields(first)
			require.Greater(t, len(words), 5, first)
			schema = append(schema, words[5])
			if words[1] == "TABLE" {
				tables[words[5]] = statement
			}
		}
		for _, o := range objects {
			names := o.tables(cluster)
			listed = append(listed, names...)
			statement, table := tables[names[0]]
			if !table {
				assert.Empty(t, o.project+o.local, "%s is a view", o.name)
				continue
			}
			if o.analyst {
				assert.Contains(t, statement, "\n    "+o.project+" ", "the policies of %s need a project", o.name)
				_, order, _ := strings.Cut(statement, "\nORDER BY")
				assert.Contains(t, order, o.project, "the policies of %s are checked before rows are merged", o.name)
			}
		}
		slices.Sort(schema)
		slices.Sort(listed)
		assert.Equal(t, slices.Compact(schema), slices.Compact(listed), "%s: add the object to objects.go", kind)
	}
}
