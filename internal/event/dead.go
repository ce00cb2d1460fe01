package event

// DeadReason says why a record became a dead letter. It is the value of the header dead-reason and of a metric label.
// The list is closed.
type DeadReason string

// The reasons, in the order in which a record is examined.
const (
	DeadTombstone          DeadReason = "tombstone"           // the value is null
	DeadEmptyValue         DeadReason = "empty_value"         // the value has no bytes, or only white space
	DeadTooLarge           DeadReason = "too_large"           // the value is larger than the consumer takes
	DeadMissingHeader      DeadReason = "missing_header"      // one of the gateway's headers is missing
	DeadUnsupportedVersion DeadReason = "unsupported_version" // the header v names an unknown format
	DeadBadHeader          DeadReason = "bad_header"          // a header came twice or is malformed
	DeadUnknownFormat      DeadReason = "unknown_format"      // the header format is not one of Formats
	DeadMalformedJSON      DeadReason = "malformed_json"      // the value is not strict JSON
	DeadInvalidEvent       DeadReason = "invalid_event"       // JSON, but not an event
	DeadIDMismatch         DeadReason = "id_mismatch"         // the event's id is not the header's
	DeadRefusedByDatabase  DeadReason = "refused_by_clickhouse"
)

// DeadReasons returns every reason.
func DeadReasons() []DeadReason {
	return []DeadReason{
		DeadTombstone, DeadEmptyValue, DeadTooLarge, DeadMissingHeader, DeadUnsupportedVersion, DeadBadHeader,
		DeadUnknownFormat, DeadMalformedJSON, DeadInvalidEvent, DeadIDMismatch, DeadRefusedByDatabase,
	}
}

// RecordError says why a record cannot become a row.
type RecordError struct {
	Reason DeadReason
	Detail string // a few words without the record's bytes, at most 1 KiB
	Err    error  // the *Error of the value, if it is at fault, else nil
}

// Error returns the reason and the detail. It repeats none of the record's bytes.
func (e *RecordError) Error() string { return string(e.Reason) + ": " + e.Detail }

// Unwrap returns Err.
func (e *RecordError) Unwrap() error { return e.Err }
