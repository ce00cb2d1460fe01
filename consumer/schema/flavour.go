package schema

import (
	"fmt"
	"regexp"
	"sluice/consumer/clickhouse"
	"strings"
)

// tokenMemory is for how long a replicated table remembers tokens, in seconds: as long as Kafka keeps events by default.
const tokenMemory = 7 * 24 * 60 * 60

// flavour is the kind of ClickHouse that the schema is rendered for. The files hold the statements of a single server, and the other
// kinds are derived from them, so that there is one list of columns.
type flavour struct {
	database string
	cluster  string // its name; empty: a single server
	cloud    bool   // ClickHouse Cloud
	ttl      string // of the table of the rows, if it is made: an expression; empty: rows are kept for ever
}

// table is what the rows are inserted into.
func (f flavour) table() string {
	if f.cluster != "" {
		return clickhouse.LocalTable
	}
	return clickhouse.TableName
}

// onCluster has a statement carried out on every server.
func (f flavour) onCluster() string {
	if f.cluster == "" {
		return ""
	}
	return " ON CLUSTER " + clickhouse.Quote(f.cluster)
}

var (
	createTable   = regexp.MustCompile(`^CREATE TABLE IF NOT EXISTS (\w+)\n`)
	createView    = regexp.MustCompile(`^CREATE VIEW IF NOT EXISTS (\w+) AS\n`)
	engineLine    = regexp.MustCompile(`(?m)^ENGINE = (\w*)MergeTree\((.*)\)$`)
	settingsLines = regexp.MustCompile(`(?s)\nSETTINGS (.*);\s*$`)
)

// render turns a file of the schema into the statements for the flavour, each ended by a semicolon, without comments. A statement
// that it has no rule for is an error, so that a later file cannot reach a cluster as it is.
func (f flavour) render(text string) (string, error) {
	_, statement := cutComments(text)
	if strings.Count(statement, ";") != 1 {
		return "", fmt.Errorf("one statement is expected, not %d", strings.Count(statement, ";"))
	}
	switch {
	case createView.MatchString(statement):
		return createView.ReplaceAllString(statement, "CREATE VIEW IF NOT EXISTS $1"+f.onCluster()+" AS\n"), nil
	case createTable.MatchString(statement) && engineLine.MatchString(statement) && settingsLines.MatchString(statement):
		return f.renderTable(statement), nil
	}
	return "", fmt.Errorf("no rule for a statement that begins with %.40q", statement)
}

// cutComments separates the lines at the beginning that are comments from the statement.
func cutComments(text string) (comments, statement string) {
	for strings.HasPrefix(text[len(comments):], "--") {
		line, _, _ := strings.Cut(text[len(comments):], "\n")
		comments += line + "\n"
	}
	return comments, text[len(comments):]
}

func (f flavour) renderTable(statement string) string {
	name := createTable.FindStringSubmatch(statement)[1]
	if f.cluster != "" || f.cloud {
		statement = settingsLines.ReplaceAllStringFunc(statement, f.renderSettings)
	}
	if name == clickhouse.TableName && f.ttl != "" {
		// The TTL is part of the statement: a table is never there without it, and a replica that comes later is refused unless
		// it is made as the others are by then.
		statement = strings.Replace(statement, "\nSETTINGS ", "\nTTL "+f.ttl+"\nSETTINGS ", 1)
	}
	if f.cluster == "" {
		return statement
	}
	local := name
	if name == clickhouse.TableName {
		local = clickhouse.LocalTable
	}
	statement = createTable.ReplaceAllString(statement, "CREATE TABLE IF NOT EXISTS "+local+f.onCluster()+"\n")
	statement = engineLine.ReplaceAllStringFunc(statement, func(line string) string {
		part := engineLine.FindStringSubmatch(line)
		arguments := "'/clickhouse/tables/{shard}/{database}/" + local + "', '{replica}'"
		if part[2] != "" {
			arguments += ", " + part[2]
		}
		return "ENGINE = Replicated" + part[1] + "MergeTree(" + arguments + ")"
	})
	if name != clickhouse.TableName {
		return statement
	}
	return statement + fmt.Sprintf("\nCREATE TABLE IF NOT EXISTS %s%s AS %s\nENGINE = Distributed(%s, %s, %s, %s);\n",
		clickhouse.TableName, f.onCluster(), clickhouse.LocalTable, clickhouse.Quote(f.cluster), clickhouse.Quote(f.database), clickhouse.Quote(clickhouse.LocalTable), clickhouse.ShardKey)
}

// renderSettings exchanges the window of a plain table for that of a replicated one, which ClickHouse Cloud's tables have as well.
// There no disk is ours to sync, and how parts are written and merged is the service's to choose.
func (f flavour) renderSettings(clause string) string {
	var out []string
	for setting := range strings.SplitSeq(settingsLines.FindStringSubmatch(clause)[1], ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(setting), " = ")
		switch {
		case name == "non_replicated_deduplication_window":
			out = append(out, "replicated_deduplication_window = "+value, fmt.Sprintf("replicated_deduplication_window_seconds = %d", tokenMemory))
		case f.cloud && (strings.HasPrefix(name, "fsync_") || name == "merge_selector_base" || name == "min_bytes_for_wide_part"):
		default:
			out = append(out, name+" = "+value)
		}
	}
	return "\nSETTINGS " + strings.Join(out, ",\n    ") + ";\n"
}

// createDatabase is the statement that comes before all others.
func (f flavour) createDatabase() string {
	return "CREATE DATABASE IF NOT EXISTS " + f.database + f.onCluster()
}
