package schema

import (
	"fmt"
	"regexp"
	"strings"
)

// definition is what a CREATE statement says of a table or a view. It is read from ClickHouse's own way to write a
// statement on one line, which the server gives for its own tables and, by formatQuerySingleLine, for the schema's
// statements: so both can be compared as text.
type definition struct {
	name    string
	view    bool
	query   string            // of a view
	like    string            // the table whose columns this one has: CREATE TABLE … AS like
	columns []part            // of a table
	indices []part            // of a table
	clauses map[string]string // of a table: ENGINE, PARTITION, ORDER, PRIMARY, TTL, SETTINGS
}

// part is one line of a definition: a column, an index or a setting.
type part struct {
	name string
	text string // without the name; of a column its type
	kind string // of a column: its DEFAULT, MATERIALIZED or ALIAS with the expression, or nothing
	code string // of a column: its CODEC, or nothing
}

// full is the part as it stands in a statement.
func (p part) full() string {
	return strings.Join(strings.Fields(quotedName(p.name)+" "+p.text+" "+p.kind+" "+p.code), " ")
}

// parseDefinition reads a CREATE statement in ClickHouse's own form.
func parseDefinition(text string) (definition, error) {
	d := definition{clauses: map[string]string{}}
	words := splitTop(text, ' ')
	if len(words) > 2 && words[0] == "CREATE" && (words[1] == "TABLE" || words[1] == "VIEW") {
		d.view = words[1] == "VIEW"
		words = words[2:]
	} else {
		words = nil
	}
	if len(words) > 2 && words[0] == "IF" { // NOT EXISTS
		words = words[3:]
	}
	if len(words) < 2 {
		return d, fmt.Errorf("not a definition: %.60q", text)
	}
	d.name, words = unquotedName(words[0]), words[1:]
	if strings.HasPrefix(words[0], "(") {
		d.parseBody(words[0][1 : len(words[0])-1])
		words = words[1:]
	}
	if len(words) > 1 && words[0] == "AS" {
		if d.view {
			d.query = strings.Join(words[1:], " ")
			return d, nil
		}
		d.like, words = unquotedName(words[1]), words[2:]
	}
	d.parseClauses(words)
	return d, nil
}

func (d *definition) parseBody(body string) {
	for _, item := range splitTop(body, ',') {
		words := splitTop(strings.TrimSpace(item), ' ')
		switch {
		case strings.HasPrefix(words[0], "`"):
			d.columns = append(d.columns, parseColumn(words))
		case words[0] == "INDEX" && len(words) > 2:
			d.indices = append(d.indices, part{name: unquotedName(words[1]), text: strings.Join(words[2:], " ")})
		}
	}
}

// codecSize matches what ClickHouse adds to a codec that is written without its argument: the size of the column's
// values.
var codecSize = regexp.MustCompile(`\b(Delta|DoubleDelta|Gorilla)\(\d+\)`)

func parseColumn(words []string) part {
	p := part{name: unquotedName(words[0])}
	into := &p.text
	ignored := "" // what is not compared: comments, statistics, a column's own TTL
	for _, word := range words[1:] {
		switch {
		case word == "DEFAULT" || word == "MATERIALIZED" || word == "ALIAS" || word == "EPHEMERAL":
			into = &p.kind
		case strings.HasPrefix(word, "CODEC("):
			into = &p.code
			word = codecSize.ReplaceAllString(word, "$1")
		case word == "COMMENT" || word == "TTL" || word == "SETTINGS" || strings.HasPrefix(word, "STATISTICS("):
			into = &ignored
		}
		*into = strings.TrimSpace(*into + " " + word)
	}
	return p
}

func (d *definition) parseClauses(words []string) {
	clause := ""
	for _, word := range words {
		switch word {
		case "ENGINE", "PARTITION", "PRIMARY", "ORDER", "SAMPLE", "TTL", "SETTINGS", "COMMENT":
			clause = word
		case "=", "BY", "KEY":
			if clause == "SETTINGS" {
				d.clauses[clause] += word
			}
		default:
			if clause == "SETTINGS" {
				d.clauses[clause] += word
			} else {
				d.clauses[clause] = strings.TrimSpace(d.clauses[clause] + " " + word)
			}
		}
	}
}

// settings are the table's own, with their values as text.
func (d *definition) settings() []part {
	var out []part
	for _, setting := range splitTop(d.clauses["SETTINGS"], ',') {
		if name, value, ok := strings.Cut(setting, "="); ok {
			out = append(out, part{name: name, text: value})
		}
	}
	return out
}

// engine is the table's engine without its arguments, and its arguments without the two that name a replica.
func (d *definition) engine() (name, arguments string) {
	name, arguments, _ = strings.Cut(strings.TrimSuffix(d.clauses["ENGINE"], ")"), "(")
	if strings.HasPrefix(name, "Replicated") || strings.HasPrefix(name, "Shared") {
		all := splitTop(arguments, ',')
		for len(all) > 0 && strings.HasPrefix(strings.TrimSpace(all[0]), "'") {
			all = all[1:]
		}
		arguments = strings.TrimSpace(strings.Join(all, ","))
	}
	return name, arguments
}

// splitTop splits a text where the separator stands outside of brackets and quotes.
func splitTop(text string, separator byte) []string {
	var out []string
	depth, start := 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\'' || c == '`' || c == '"':
			i += quotedLength(text[i:]) - 1
		case c == '(' || c == '[' || c == '{':
			depth++
		case c == ')' || c == ']' || c == '}':
			depth--
		case c == separator && depth == 0:
			out = append(out, text[start:i])
			start = i + 1
		}
	}
	return append(out, text[start:])
}

// quotedLength is how long the quoted text is that the text begins with, with its quotes.
func quotedLength(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case text[0]:
			return i + 1
		}
	}
	return len(text)
}

// quotedName is a name as ClickHouse writes it in a list of columns.
func quotedName(name string) string { return "`" + name + "`" }

// unquotedName is the last part of a name, without the database and without quotes.
func unquotedName(name string) string {
	parts := splitTop(name, '.')
	return strings.Trim(parts[len(parts)-1], "`\"")
}
