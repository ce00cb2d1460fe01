package event

// DecodeRecord decodes the event in a Kafka record. It trusts nothing: it applies every rule that the gateway
// applies, and requires that the id in the event, if the event has one, equals the id in the headers. It returns a
// *RecordError, and with it the envelope if the headers are well-formed.
//
// maxBytes is the size of the largest value that it accepts. The consumer sets it above the gateway's limit, so that an
// event that was accepted before the limit was lowered still becomes a row.
//
// ev aliases value. The row's id is that of the envelope, whether or not the event has one.
func DecodeRecord(d *Decoder, value []byte, headers []Header, maxBytes int, ev *Event) (Envelope, error) {
	switch {
	case value == nil:
		return Envelope{}, &RecordError{Reason: DeadTombstone, Detail: "the record has no value"}
	case len(value) == 0:
		return Envelope{}, &RecordError{Reason: DeadEmptyValue, Detail: "the value has no bytes"}
	case len(value) > maxBytes:
		return Envelope{}, &RecordError{Reason: DeadTooLarge, Detail: "the value is larger than the consumer takes"}
	}
	envelope, err := parseHeaders(headers, &d.project)
	if err != nil {
		return Envelope{}, err
	}
	if envelope.Format != "" && d.Formats[envelope.Format] == nil {
		return envelope, &RecordError{Reason: DeadUnknownFormat, Detail: "the value's format is unknown here"}
	}
	if err := d.decodeAs(envelope.Format, value, ev); err != nil {
		return envelope, &RecordError{Reason: deadReason(err.Code), Detail: err.Reason, Err: err}
	}
	if ev.HasID && ev.ID != envelope.ID {
		return envelope, &RecordError{Reason: DeadIDMismatch, Detail: "the event's id is not the header's"}
	}
	return envelope, nil
}

func deadReason(code Code) DeadReason {
	switch code {
	case CodeMalformed:
		return DeadMalformedJSON
	case CodeEmpty:
		return DeadEmptyValue
	case CodeTooLarge:
		return DeadTooLarge
	}
	return DeadInvalidEvent
}

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
