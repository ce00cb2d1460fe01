package clickhouse

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/ClickHouse/ch-go/proto"
)

var (
	errorName   = regexp.MustCompile(`\(([A-Z][A-Z0-9_]{3,})\)`)
	failedAt    = regexp.MustCompile(`while executing '?FUNCTION .*? -> (.*?) [A-Z]\w*(?:\(.*\))? : \d+`)
	constraint  = regexp.MustCompile("[Cc]onstraint [`']([^`']+)[`']")
	columnNamed = regexp.MustCompile("\\b[Cc]olumn [`'\"]?([A-Za-z_][A-Za-z0-9_]*)[`'\"]?")
)

// ReasonText is an error's text for the log. ClickHouse quotes the rows that it refuses, and events do not belong in
// the log. Of such an error only the code is left, with the constraint or the expression that failed. Dead letters have
// the whole text, beside the event itself.
func ReasonText(err error) string {
	switch FaultOf(err) {
	case FaultData, FaultUnclear:
	default:
		return err.Error()
	}
	code := Code(err)
	text := fmt.Sprintf("clickhouse refuses the rows: code %d %s", code, codeName(err))
	if m := constraint.FindStringSubmatch(err.Error()); m != nil {
		text += ", constraint " + m[1]
	}
	if at := failedExpression(err); at != "" {
		text += ", in " + at
	}
	return strings.TrimSpace(text)
}

// codeName is ClickHouse's name of an error's code.
func codeName(err error) string {
	if m := errorName.FindAllStringSubmatch(err.Error(), -1); m != nil {
		return m[len(m)-1][1]
	}
	name, _, _ := strings.Cut(proto.Error(Code(err)).Error(), " ")
	return name
}

// failedExpression is the part of a column's expression that failed, as the message writes it. Empty: the message names
// none.
func failedExpression(err error) string {
	if m := failedAt.FindStringSubmatch(err.Error()); m != nil {
		return m[1]
	}
	return ""
}
