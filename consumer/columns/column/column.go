package column

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxColumns is the most custom columns. Each costs every insert a look into the payload.
const MaxColumns = 32

// Column is a custom column.
type Column struct {
	Name string
	Type Type
	Path Path
}

// New makes a custom column. Its error says in one sentence what is wrong.
func New(name, ofType, path string) (Column, error) {
	if err := CheckName(name); err != nil {
		return Column{}, err
	}
	t, err := ParseType(ofType)
	if err != nil {
		return Column{}, err
	}
	p, err := ParsePath(path)
	if err != nil {
		return Column{}, err
	}
	return Column{Name: name, Type: t, Path: p}, nil
}

// Expression computes the column's value from the column payload. It never fails.
func (c Column) Expression() string { return c.Type.value(c.Type, "payload"+c.Path.arguments()) }

// Has is a condition: the payload has a value at the path, if only null.
func (c Column) Has() string { return "JSONHas(payload" + c.Path.arguments() + ")" }

// Codec is the column's codec: weak where values repeat, as for the other columns of the table.
func (c Column) Codec() string {
	if strings.HasPrefix(c.Type.name, "LowCardinality(") {
		return "CODEC(LZ4)"
	}
	return "CODEC(ZSTD(1))"
}

// arguments are the path as arguments of ClickHouse's JSON functions, which count the elements of an array from 1.
func (p Path) arguments() string {
	var out strings.Builder
	for _, step := range p {
		if step.InArray {
			fmt.Fprintf(&out, ", %s", strconv.Itoa(step.Index+1))
		} else {
			out.WriteString(", " + quote(step.Key))
		}
	}
	return out.String()
}
