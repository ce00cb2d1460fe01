package clickhouse

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

// Fault says whose fault an error is, as far as the error's code can tell.
//
// No list of codes is complete: a column that a user added can fail with any code, and ClickHouse gets new ones. The
// lists below hold only codes that speak for themselves. For any other code the caller needs evidence: a refusal that
// repeats for one block while other blocks are accepted is the block's fault, and a refusal of every block is the
// setup's.
type Fault int

// The faults.
const (
	FaultUnclear   Fault = iota // only evidence can tell
	FaultTransient              // it passes by itself, and is never a row's fault
	FaultSetup                  // somebody must act, and it is never a row's fault
	FaultSize                   // the block, or the answer, is larger than the server allows
	FaultData                   // something in the block cannot be stored
)

// setupCodes are errors that a retry alone does not mend: somebody must change the schema, the settings or the rights.
// The consumer retries them slowly, so that it continues by itself afterwards. They never make a dead letter: behind a
// balancer one server may lack what the others have, and a new password reaches one connection after the other.
//
// 16 NO_SUCH_COLUMN_IN_TABLE, 47 UNKNOWN_IDENTIFIER, 60 UNKNOWN_TABLE, 62 SYNTAX_ERROR, 81 UNKNOWN_DATABASE, 115
// UNKNOWN_SETTING, 164 READONLY, 180 THERE_IS_NO_PROFILE, 192 UNKNOWN_USER, 193 WRONG_PASSWORD, 194 REQUIRED_PASSWORD
// (the user default, with another password than its own), 195 IP_ADDRESS_NOT_ALLOWED, 277 INDEX_NOT_USED, 291
// DATABASE_ACCESS_DENIED, 344 SUPPORT_IS_DISABLED, 392 QUERY_IS_PROHIBITED, 452 SETTING_CONSTRAINT_VIOLATION, 497
// ACCESS_DENIED, 511 UNKNOWN_ROLE, 516 AUTHENTICATION_FAILED.
var setupCodes = []int{16, 47, 60, 62, 81, 115, 164, 180, 192, 193, 194, 195, 277, 291, 344, 392, 452, 497, 511, 516}

// dataCodes say that something in the block cannot be stored.
//
// 6 CANNOT_PARSE_TEXT, 26 CANNOT_PARSE_QUOTED_STRING, 27 CANNOT_PARSE_INPUT_ASSERTION_FAILED, 33 CANNOT_READ_ALL_DATA,
// 38 CANNOT_PARSE_DATE, 41 CANNOT_PARSE_DATETIME, 53 TYPE_MISMATCH, 69 ARGUMENT_OUT_OF_BOUND, 72 CANNOT_PARSE_NUMBER,
// 117 INCORRECT_DATA, 131 TOO_LARGE_STRING_SIZE, 349 CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN, 376 CANNOT_PARSE_UUID, 469
// VIOLATED_CONSTRAINT, 675 CANNOT_PARSE_IPV4, 676 CANNOT_PARSE_IPV6, 691 UNKNOWN_ELEMENT_OF_ENUM.
var dataCodes = []int{6, 26, 27, 33, 38, 41, 53, 69, 72, 117, 131, 349, 376, 469, 675, 676, 691}

// sizeCodes are of limits that a smaller block keeps.
//
// 158 TOO_MANY_ROWS, 159 TIMEOUT_EXCEEDED, 160 TOO_SLOW, 173 CANNOT_ALLOCATE_MEMORY, 191 SET_SIZE_LIMIT_EXCEEDED, 241
// MEMORY_LIMIT_EXCEEDED, 290 LIMIT_EXCEEDED, 307 TOO_MANY_BYTES, 396 TOO_MANY_ROWS_OR_BYTES, 565 TOO_MANY_PARTITIONS.
var sizeCodes = []int{158, 159, 160, 173, 191, 241, 290, 307, 396, 565}

// transientCodes are of a server that is busy, broken, starting, or cannot reach what it needs.
//
// 74 CANNOT_READ_FROM_FILE_DESCRIPTOR, 75 CANNOT_WRITE_TO_FILE_DESCRIPTOR, 76 CANNOT_OPEN_FILE, 95
// CANNOT_READ_FROM_SOCKET, 96 CANNOT_WRITE_TO_SOCKET, 198 DNS_ERROR, 201 QUOTA_EXCEEDED, 202
// TOO_MANY_SIMULTANEOUS_QUERIES, 203 NO_FREE_CONNECTION, 209 SOCKET_TIMEOUT, 210 NETWORK_ERROR, 225 NO_ZOOKEEPER, 236
// ABORTED, 242 TABLE_IS_READ_ONLY, 243 NOT_ENOUGH_SPACE, 244 UNEXPECTED_ZOOKEEPER_ERROR, 252 TOO_MANY_PARTS, 254
// NO_ACTIVE_REPLICAS, 279 ALL_CONNECTION_TRIES_FAILED, 285 TOO_FEW_LIVE_REPLICAS, 286
// UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE, 289 REPLICA_IS_NOT_IN_QUORUM, 319 UNKNOWN_STATUS_OF_INSERT, 341 UNFINISHED,
// 369 ALL_REPLICAS_ARE_STALE, 394 QUERY_WAS_CANCELLED, 425 SYSTEM_ERROR, 439 CANNOT_SCHEDULE_TASK, 473
// DEADLOCK_AVOIDED, 499 S3_ERROR, 517 CANNOT_ASSIGN_ALTER, 529 NOT_A_LEADER, 659 UNKNOWN_STATUS_OF_TRANSACTION, 735
// QUERY_WAS_CANCELLED_BY_CLIENT, 745 SERVER_OVERLOADED, 999 KEEPER_EXCEPTION.
var transientCodes = []int{
	74, 75, 76, 95, 96, 198, 201, 202, 203, 209, 210, 225, 236, 242, 243, 244, 252, 254, 279, 285, 286, 289, 319, 341,
	369, 394, 425, 439, 473, 499, 517, 529, 659, 735, 745, 999,
}

// FaultOf returns whose fault an error is. An error from before a block was sent is not the block's fault, and a
// question that fails with ErrRead is no row's fault.
func FaultOf(err error) Fault {
	f := faultOfCode(err)
	notSent := errors.Is(err, ErrNotSent)
	switch {
	case f == FaultSize && notSent:
		return FaultTransient
	case (f == FaultUnclear || f == FaultData) && (notSent || errors.Is(err, ErrRead)):
		return FaultSetup
	}
	return f
}

func faultOfCode(err error) Fault {
	if _, unsuitable := errors.AsType[UnsuitableError](err); unsuitable {
		return FaultSetup
	}
	code := Code(err)
	switch {
	case code == 0:
		if httpStatus(err) == http.StatusRequestEntityTooLarge {
			return FaultSize
		}
		return FaultTransient
	case code == 252 && strings.Contains(err.Error(), "single INSERT block"):
		return FaultSetup // with any other text 252 (too many parts) asks for patience
	case code == 241 && isServerMemory(err):
		return FaultTransient
	case slices.Contains(setupCodes, code):
		return FaultSetup
	case slices.Contains(sizeCodes, code):
		return FaultSize
	case slices.Contains(transientCodes, code):
		return FaultTransient
	case slices.Contains(dataCodes, code):
		return FaultData
	}
	return FaultUnclear
}

// isServerMemory reports whether the memory of the whole server is used up, rather than that of one query or user.
func isServerMemory(err error) bool {
	text := err.Error()
	return strings.Contains(text, "(total)") || strings.Contains(text, "(for server)")
}
