package column

import (
	"fmt"
	"strings"
)

// A custom column is recognised by its comment, which has its path between these two.
const (
	commentBegin = "custom column: "
	commentEnd   = " of the payload"
)

// Comment is the comment of the column in ClickHouse. Read finds the path in it.
func (c Column) Comment() string { return commentBegin + c.Path.String() + commentEnd }

// IsCustom reports whether a column with a comment is a custom one.
func IsCustom(comment string) bool {
	return strings.HasPrefix(comment, commentBegin) && strings.HasSuffix(comment, commentEnd)
}

// PathOf returns the path in the comment of a custom column.
func PathOf(comment string) (Path, error) {
	text, begins := strings.CutPrefix(comment, commentBegin)
	text, ends := strings.CutSuffix(text, commentEnd)
	if !begins || !ends || text == "" {
		return nil, fmt.Errorf("not the comment of a custom column: %.80q", comment)
	}
	return parse(text)
}
