package schema

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

// schemaFiles holds the schema: one CREATE statement a file, in the order in which the objects need each other. A file
// says what an object must look like. A column, an index or a setting that is added to a file is added to a table that
// is there already.
//
//go:embed *.sql
var schemaFiles embed.FS

// statement is one step of the schema, as one kind of ClickHouse needs it.
type statement struct {
	file string // that the statement comes from
	text string // without comments and semicolon
}

// statements returns the schema's statements for a flavour, in their order.
func statements(f flavour) ([]statement, error) {
	names, err := fs.Glob(schemaFiles, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	var out []statement
	for _, name := range names {
		text, err := schemaFiles.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the schema: %w", err)
		}
		file := name
		rendered, err := f.render(string(text))
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", file, err)
		}
		for one := range strings.SplitSeq(strings.TrimSpace(rendered), ";\n") {
			out = append(out, statement{file: file, text: strings.TrimSuffix(strings.TrimSpace(one), ";")})
		}
	}
	return out, nil
}
