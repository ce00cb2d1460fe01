package event

import (
	"strconv"

	"github.com/google/uuid"
)

// Code is the machine-readable kind of a refusal; its values are part of the HTTP contract.
type Code string

const (
	// CodeMalformed: not JSON by the strict rules, or a bulk without a structure.
	CodeMalformed Code = "malformed"
	// CodeInvalidEvent: JSON, but not an event; Error.Field names the field if it is one field's fault.
	CodeInvalidEvent Code = "invalid_event"
	// CodeEmpty: nothing but white space, or a bulk without events.
	CodeEmpty Code = "empty"
	// CodeTooLarge: over a limit; Error.Limit names it.
	CodeTooLarge Code = "too_large"
)

// Error says why an event or a bulk was refused. No part of it repeats the client's bytes.
type Error struct {
	Code Code
	// Field is the faulty field as the client wrote it, parents first ("user.id"); empty if no one field is at fault.
	// It comes from a closed list.
	Field string
	// Reason is one sentence for the client.
	Reason string
	// Limit is the name of the broken limit if Code is CodeTooLarge.
	Limit string
	// EventID is the event's own id if it could be read, else nil.
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
