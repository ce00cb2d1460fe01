package event

// DecodeRecord makes an event of a Kafka record of which nothing is known: it applies every rule the gateway applies,
// and that the event's own id, if it has one, is the header's. maxBytes is the largest value it takes; it may be above
// the gateway's limit, so that a lowered setting does not kill what was accepted before. It returns an *RecordError.
//
// ev aliases value. The id of the row is the envelope's, whether or not the event has one.
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
	if err := d.decode(value, ev); err != nil {
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
