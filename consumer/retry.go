package consumer

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
)

// setupCodes are ClickHouse's errors that no retry mends by itself: somebody must change the schema, the settings or the
// rights. They are tried again all the same, slowly, so that the consumer goes on by itself once that is done.
//
// 16 NO_SUCH_COLUMN_IN_TABLE, 47 UNKNOWN_IDENTIFIER, 60 UNKNOWN_TABLE, 62 SYNTAX_ERROR, 81 UNKNOWN_DATABASE, 164 READONLY,
// 192 UNKNOWN_USER, 193 WRONG_PASSWORD, 194 REQUIRED_PASSWORD (the user default, with another password than its own),
// 497 ACCESS_DENIED, 516 AUTHENTICATION_FAILED.
var setupCodes = []int{16, 47, 60, 62, 81, 164, 192, 193, 194, 497, 516}

// dataCodes are those that say that something in the block cannot be stored.
//
// 6 CANNOT_PARSE_TEXT, 26 CANNOT_PARSE_QUOTED_STRING, 27 CANNOT_PARSE_INPUT_ASSERTION_FAILED, 33 CANNOT_READ_ALL_DATA, 38
// CANNOT_PARSE_DATE, 53 TYPE_MISMATCH, 69 ARGUMENT_OUT_OF_BOUND, 72 CANNOT_PARSE_NUMBER, 117 INCORRECT_DATA, 131
// TOO_LARGE_STRING_SIZE, 349 CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN, 469 VIOLATED_CONSTRAINT, 565 TOO_MANY_PARTITIONS.
var dataCodes = []int{6, 26, 27, 33, 38, 53, 69, 72, 117, 131, 349, 469, 565}

// isSetup tells an error that somebody must act on from one that time mends.
func isSetup(err error) bool {
	if _, unfit := errors.AsType[unfitError](err); unfit {
		return true
	}
	// Too many parts is the server's way to ask for patience, unless it means those that one block would make.
	return slices.Contains(setupCodes, errorCode(err)) || errorCode(err) == 252 && strings.Contains(err.Error(), "single INSERT block")
}

// isData tells an error that is the rows' fault.
func isData(err error) bool { return slices.Contains(dataCodes, errorCode(err)) }

// isUnknown says that an insert may have happened all the same: it was sent, and no answer of ClickHouse's came.
func isUnknown(err error) bool { return errorCode(err) == 0 && !errors.Is(err, errNotSent) }

// errorCode is ClickHouse's code of an error, or 0 if it did not come from ClickHouse.
func errorCode(err error) int {
	var native *ch.Exception
	if errors.As(err, &native) {
		return int(native.Code)
	}
	var overHTTP *httpError
	if errors.As(err, &overHTTP) {
		return overHTTP.code
	}
	return 0
}

// codeLabel is the error's metric label.
func codeLabel(err error) string {
	if code := errorCode(err); code != 0 {
		return strconv.Itoa(code)
	}
	return "network"
}

// backoff is how long to wait between tries: it doubles from 100 ms up to a bound, with jitter, so that consumers do not come
// back from an outage in step.
type backoff struct {
	next time.Duration
}

const (
	backoffFirst = 100 * time.Millisecond
	backoffMost  = 5 * time.Second
)

// wait waits and says whether ctx is still alive.
func (b *backoff) wait(ctx context.Context) bool { return b.waitAtMost(ctx, backoffMost) }

// waitAtMost is wait with another bound.
func (b *backoff) waitAtMost(ctx context.Context, most time.Duration) bool {
	b.next = min(max(2*b.next, backoffFirst), most)
	return sleep(ctx, b.next/2+rand.N(b.next/2))
}

// sleep waits and says whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}

// hint says what to do about an error, where the consumer knows.
func hint(err error) string {
	_, unfit := errors.AsType[unfitError](err)
	switch code := errorCode(err); {
	case unfit:
		return "nothing is sent until this is mended"
	case code == 252 && isSetup(err):
		return "the user's profile must allow max_partitions_per_insert_block=300"
	case isData(err):
		return "the table refuses every row: compare its columns and constraints with the schema"
	}
	switch errorCode(err) {
	case 60, 81:
		return "run `consumer migrate`: it makes the database and the tables"
	case 16, 47:
		return "run `consumer migrate`: the table is of an older version"
	case 164, 497:
		return "the user needs INSERT and SELECT on the table, and with --clickhouse-cluster SELECT on system.clusters"
	case 192, 193, 194, 516:
		return "check user and password in --clickhouse-dsn"
	default:
		return "nothing to do if it passes"
	}
}
