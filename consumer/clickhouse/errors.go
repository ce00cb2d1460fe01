package clickhouse

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
)

var (
	// ErrNotSent is in the error of an insert or a question of which nothing was sent: there was no connection, or no
	// suitable server.
	ErrNotSent = errors.New("nothing was sent")
	// ErrRead marks the error of a question to the table. Callers wrap it, so that [FaultOf] blames no row.
	ErrRead = errors.New("compare with the table")
)

// ServerError is an answer over HTTP that is not a success.
type ServerError struct {
	Code   int // ClickHouse's own, or 0 if a proxy answered
	Status int // of HTTP
	Text   string
}

func (e *ServerError) Error() string { return "clickhouse: " + e.Text }

// Code returns ClickHouse's code of an error, or 0 if the error did not come from ClickHouse.
func Code(err error) int {
	if native, ok := errors.AsType[*ch.Exception](err); ok {
		return int(native.Code)
	}
	if overHTTP, ok := errors.AsType[*ServerError](err); ok {
		return overHTTP.Code
	}
	if lookUp, ok := errors.AsType[*clickhouse.Exception](err); ok {
		return int(lookUp.Code)
	}
	return 0
}

// CodeLabel is the metric label of an error: its code, or "network".
func CodeLabel(err error) string {
	if code := Code(err); code != 0 {
		return strconv.Itoa(code)
	}
	return "network"
}

// IsUncertain reports whether the rows of a failed insert may be in the table all the same: the block was sent, and
// ClickHouse did not answer.
func IsUncertain(err error) bool {
	return Code(err) == 0 && !errors.Is(err, ErrNotSent) && FaultOf(err) != FaultSize
}

// httpStatus is the status of an answer over HTTP that failed, or 0.
func httpStatus(err error) int {
	if overHTTP, ok := errors.AsType[*ServerError](err); ok {
		return overHTTP.Status
	}
	return 0
}

// UnsuitableError says in one sentence why a server is not used.
type UnsuitableError string

func (e UnsuitableError) Error() string { return string(e) }

// ErrCloud is returned when a cluster is named on ClickHouse Cloud.
const ErrCloud = UnsuitableError("this is ClickHouse Cloud, which replicates by itself: leave --clickhouse-cluster out")

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
