package explore

import (
	"context"
	"regexp"
	"strings"
)

// The function file reads any file that the engine may read. ClickHouse as a library asks for no right before that, so
// no user can be kept from it. The guard refuses the name wherever it is not within a text.
//
// Names can be written in many ways: quoted, with escapes, with comments between. So the guard lets ClickHouse parse
// the statement and print it again, and looks at what is printed, where each name has one form.

var (
	// quoted is a text, or a name in backquotes.
	quoted = regexp.MustCompile("(?s)'(?:[^'\\\\]|\\\\.|'')*'|`(?:[^`\\\\]|\\\\.|``)*`")
	// reads is how a statement begins that reads. Some of the others do nothing without a right, and say so nowhere.
	reads    = regexp.MustCompile(`^\(*(SELECT|WITH|FROM|SHOW|DESCRIBE|EXPLAIN|EXISTS)\b`)
	fileName = regexp.MustCompile(`(?i)(^|[^\p{L}\p{N}_])file($|[^\p{L}\p{N}_])`)
)

// readsFile reports whether a statement, as ClickHouse prints it, names the function file.
func readsFile(printed string) bool {
	names := quoted.ReplaceAllStringFunc(printed, func(q string) string {
		if q[0] == '\'' {
			return "''"
		}
		return q
	})
	return fileName.MatchString(names)
}

// guard returns an error if the statement cannot be parsed, does not read, or may read a file.
func (e *Explorer) guard(ctx context.Context, sql string) error {
	printed, err := e.clickhouse.text(ctx, "SELECT formatQuery({sql:String}) FORMAT RawBLOB", "param_sql", escapeParam(sql))
	if err != nil {
		return err
	}
	if !reads.MatchString(printed) {
		return refusal("only statements that read are run here: SELECT, WITH, SHOW, DESCRIBE, EXPLAIN, EXISTS")
	}
	if readsFile(printed) {
		return refusal("the name file is refused here, because ClickHouse's function of that name reads any file of this machine")
	}
	return nil
}

// escapeParam writes a text as ClickHouse reads a query parameter.
func escapeParam(text string) string {
	return strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\x00", `\0`).Replace(text)
}
