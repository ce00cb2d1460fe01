package schema

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"text/template"

	"sluice/consumer/clickhouse"
)

// files holds the schema: one object a file, as a template over a variant, in the order in which the objects need each
// other. A file says how an object must look. A column, an index or a setting that is added to a file is also added to
// a table that exists.
//
//go:embed *.sql
var files embed.FS

// statement is one step of the schema, for one variant.
type statement struct {
	file string // that the statement comes from
	text string // without comments and semicolon
}

// statements renders the schema for a variant.
func statements(v variant) ([]statement, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	var out []statement
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the schema: %w", err)
		}
		rendered, err := v.render(string(text))
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", name, err)
		}
		for _, one := range rendered {
			out = append(out, statement{file: name, text: one})
		}
	}
	return out, nil
}

// render returns the statements of a file, without comments and semicolons.
func (v variant) render(file string) ([]string, error) {
	t, err := template.New("").Funcs(template.FuncMap{"quote": clickhouse.Quote}).Option("missingkey=error").Parse(file)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	if err := t.Execute(&text, v); err != nil {
		return nil, err
	}
	_, body := cutComments(text.String())
	var out []string
	for one := range strings.SplitSeq(body, ";\n") {
		if one = strings.TrimSpace(one); one != "" {
			out = append(out, one)
		}
	}
	return out, v.check(out)
}

// check reports what must not be sent: a file makes one object, on all servers of a cluster, and a table whose rows are
// inserted knows tokens. On a cluster the Distributed table comes with its local table.
func (v variant) check(statements []string) error {
	objects := 0
	for _, s := range statements {
		first, _, _ := strings.Cut(s, "\n")
		distributed := strings.Contains(s, "\nENGINE = Distributed(")
		if !distributed {
			objects++
		}
		switch {
		case !strings.HasPrefix(first, "CREATE TABLE IF NOT EXISTS ") && !strings.HasPrefix(first, "CREATE VIEW IF NOT EXISTS "):
			return fmt.Errorf("not a statement that may be run again: %.40q", s)
		case !strings.Contains(first, v.OnCluster()):
			return fmt.Errorf("not for all servers of the cluster: %.40q", s)
		case strings.HasPrefix(first, "CREATE TABLE ") && !distributed && !strings.Contains(s, "deduplication_window = "):
			return fmt.Errorf("a table that knows no tokens: %.40q", s)
		}
	}
	if objects != 1 {
		return errors.New("a file of the schema must make one object")
	}
	return nil
}

// cutComments separates the comment lines at the beginning from the statement.
func cutComments(text string) (comments, statement string) {
	for strings.HasPrefix(text[len(comments):], "--") {
		line, _, _ := strings.Cut(text[len(comments):], "\n")
		comments += line + "\n"
	}
	return comments, text[len(comments):]
}
