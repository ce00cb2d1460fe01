package event

// DecodeRecord decodes the event in a Kafka record. It trusts nothing: it applies every rule that the gateway
// applies, and requires that the id in the event, if the event has one, equals the id in the headers. It returns a
// *RecordError.
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
		return Envelope{}, &RecordError{Reason: DeadUnknownFormat, Detail: "the value's format is unknown here"}
	}
	if err := d.decodeAs(envelope.Format, value, ev); err != nil {
		return Envelope{}, &RecordError{Reason: deadReason(err.Code), Detail: err.Reason, Err: err}
	}
	if ev.HasID && ev.ID != envelope.ID {
		return Envelope{}, &RecordError{Reason: DeadIDMismatch, Detail: "the event's id is not the header's"}
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
