package schema

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// definition is what a CREATE statement says about a table or a view. It is read from ClickHouse's own one-line form,
// in which the server writes its tables and, with formatQuerySingleLine, the statements of the schema. Both can
// therefore be compared as text.
type definition struct {
	name    string
	view    bool
	query   string // of a view
	like    string // the table whose columns this table has: CREATE TABLE … AS like
	columns []part
	indices []part
	clauses map[string]string // by first word: ENGINE, PARTITION, ORDER, PRIMARY, SAMPLE, TTL, SETTINGS, COMMENT
}

// part is one line of a definition: a column, an index or a setting.
type part struct {
	name         string
	text         string // what follows the name; of a column its type
	defaultValue string // of a column: DEFAULT, MATERIALIZED or ALIAS with the expression, or nothing
	codec        string // of a column: CODEC with its arguments, or nothing
	comment      string // of a column: COMMENT with the quoted text, or nothing
}

// Column is a column as it is written in a statement. The templates of the schema use it.
func (p part) Column() string {
	words := []string{quotedName(p.name), p.text, p.defaultValue, p.comment, p.codec}
	return strings.Join(slices.DeleteFunc(words, func(word string) bool { return word == "" }), " ")
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
	if len(words) > 2 && d.view && words[0] == "COMMENT" {
		d.clauses["COMMENT"], words = words[1], words[2:]
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

// codecSize matches the argument that ClickHouse adds to a codec that is written without one: the size of the column's
// values.
var codecSize = regexp.MustCompile(`\b(Delta|DoubleDelta|Gorilla)\(\d+\)`)

func parseColumn(words []string) part {
	p := part{name: unquotedName(words[0])}
	into := &p.text
	ignored := "" // is not compared: statistics, the column's own TTL
	for _, word := range words[1:] {
		switch {
		case word == "DEFAULT" || word == "MATERIALIZED" || word == "ALIAS" || word == "EPHEMERAL":
			into = &p.defaultValue
		case strings.HasPrefix(word, "CODEC("):
			into = &p.codec
			word = codecSize.ReplaceAllString(word, "$1")
		case word == "COMMENT":
			into = &p.comment
		case word == "TTL" || word == "SETTINGS" || strings.HasPrefix(word, "STATISTICS("):
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

// settings are the table's settings, with their values as text.
func (d *definition) settings() []part {
	var out []part
	for _, setting := range splitTop(d.clauses["SETTINGS"], ',') {
		if name, value, ok := strings.Cut(setting, "="); ok {
			out = append(out, part{name: name, text: value})
		}
	}
	return out
}

// engine returns the table's engine and the engine's arguments, without those that name a replica.
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

// splitTop splits a text at the separators that are outside of brackets and quotes.
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

// quotedLength is the length of the quoted text that a text begins with, including its quotes.
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

// quotedName is a name as ClickHouse writes a column's.
func quotedName(name string) string { return "`" + name + "`" }

// unquotedName is a name without its database and its quotes.
func unquotedName(name string) string {
	parts := splitTop(name, '.')
	return strings.Trim(parts[len(parts)-1], "`\"")
}
