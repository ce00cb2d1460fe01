package event

import (
	"strconv"

	"github.com/google/uuid"
)

// Code is the machine-readable kind of a refusal. Its values are part of the HTTP contract.
type Code string

const (
	// CodeMalformed: the text is not strict JSON, or the bulk has no structure.
	CodeMalformed Code = "malformed"
	// CodeInvalidEvent: the text is JSON but not an event. Error.Field names the field at fault, if there is one.
	CodeInvalidEvent Code = "invalid_event"
	// CodeEmpty: there is only white space, or the bulk has no events.
	CodeEmpty Code = "empty"
	// CodeTooLarge: a limit is exceeded. Error.Limit names it.
	CodeTooLarge Code = "too_large"
)

// Error says why an event or a bulk was refused. No part of it repeats the client's bytes.
type Error struct {
	Code Code
	// Field is the path of the field at fault ("user.id"), from a closed list. It is empty if no single field is at
	// fault.
	Field string
	// Reason is one sentence for the client.
	Reason string
	// Limit is the name of the exceeded limit if Code is CodeTooLarge.
	Limit string
	// EventID is the id in the event, or the nil UUID if none could be read.
	EventID uuid.UUID
}

// Error returns the reason, a sentence that is safe to show to the client.
func (e *Error) Error() string { return e.Reason }

func malformed(fault string, offset int) *Error {
	return &Error{
		Code:   CodeMalformed,
		Reason: "The JSON is malformed at byte offset " + strconv.Itoa(offset) + ": " + fault + ".",
	}
}

func tooLarge(limit, unit string, most int) *Error {
	return &Error{
		Code:   CodeTooLarge,
		Limit:  limit,
		Reason: "The limit " + limit + " is " + strconv.Itoa(most) + " " + unit + ".",
	}
}
