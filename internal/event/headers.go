package event

import (
	"encoding/binary"
	"sluice/internal/swar"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Header is a header of a Kafka record.
type Header struct {
	Key   string
	Value []byte
}

// The names of the headers and the version of their format.
const (
	HeaderVersion     = "v"
	HeaderProject     = "project"
	HeaderEventID     = "event-id"
	HeaderReceivedAt  = "received-at" // Unix milliseconds, decimal
	HeaderSentAt      = "sent-at"     // the same; only if the client gave one
	HeaderTraceparent = "traceparent" // only if the request had one
	HeaderFormat      = "format"      // only if the value is not an event of our own format

	Version = "1"
)

// MostHeaders and MostHeaderBytes are the largest number of headers of an envelope, and the most bytes of all their
// values.
const (
	MostHeaders     = 7
	MostHeaderBytes = len(Version) + longestProjectID + dashedLen + 2*20 + 55 + longestFormat
)

// Headers returns the envelope as the headers of a record. They share memory with nothing else.
func (e Envelope) Headers() []Header {
	return e.AppendHeaders(make([]Header, 0, MostHeaders), make([]byte, 0, MostHeaderBytes))
}

// AppendHeaders is Headers without allocating. It appends the headers to headers and their values to values, which
// must have MostHeaderBytes of free capacity.
func (e *Envelope) AppendHeaders(headers []Header, values []byte) []Header {
	start := len(values)
	add := func(key string) {
		headers = append(headers, Header{key, values[start:len(values):len(values)]})
		start = len(values)
	}
	values = append(values, Version...)
	add(HeaderVersion)
	values = append(values, e.Project...)
	add(HeaderProject)
	values = values[:start+dashedLen]
	PutID(values[start:], e.ID)
	add(HeaderEventID)
	values = strconv.AppendInt(values, e.ReceivedAt.UnixMilli(), 10)
	add(HeaderReceivedAt)
	if !e.SentAt.IsZero() {
		values = strconv.AppendInt(values, e.SentAt.UnixMilli(), 10)
		add(HeaderSentAt)
	}
	if ValidTraceparent(e.Traceparent) {
		values = append(values, e.Traceparent...)
		add(HeaderTraceparent)
	}
	if validFormat(e.Format) {
		values = append(values, e.Format...)
		add(HeaderFormat)
	}
	return headers
}

// PutID writes the 36 characters of a UUID, in lower case, to the start of dst.
func PutID(dst []byte, id uuid.UUID) {
	dst = dst[:dashedLen]
	high, low := swar.Word(id[:8]), swar.Word(id[8:])
	second, third := swar.ToHex(high>>32), swar.ToHex(low)
	binary.LittleEndian.PutUint64(dst, swar.ToHex(high))
	dst[8] = '-'
	binary.LittleEndian.PutUint32(dst[9:], uint32(second)) // four of the eight
	dst[13] = '-'
	binary.LittleEndian.PutUint32(dst[14:], uint32(second>>32))
	dst[18] = '-'
	binary.LittleEndian.PutUint32(dst[19:], uint32(third)) // four of the eight
	dst[23] = '-'
	binary.LittleEndian.PutUint32(dst[24:], uint32(third>>32))
	binary.LittleEndian.PutUint64(dst[28:], swar.ToHex(low>>32))
}

// ParseHeaders reads the headers of a record and trusts none of them. It returns a *RecordError if a header of the
// envelope is missing, comes twice or is malformed. It ignores other headers.
func ParseHeaders(headers []Header) (Envelope, error) {
	var project string
	e, err := parseHeaders(headers, &project)
	if err != nil {
		return Envelope{}, err
	}
	return e, nil
}

// parseHeaders reuses the project's string if the record before was of the same project.
func parseHeaders(headers []Header, before *string) (Envelope, *RecordError) {
	found, err := pickHeaders(headers)
	if err != nil {
		return Envelope{}, err
	}
	if string(found.version.Value) != Version {
		return Envelope{}, &RecordError{Reason: DeadUnsupportedVersion, Detail: "the header v is not " + Version}
	}
	var e Envelope
	if string(found.project.Value) != *before || *before == "" {
		project := string(found.project.Value)
		if !ValidProjectID(project) {
			return Envelope{}, badHeader(HeaderProject)
		}
		*before = project
	}
	e.Project = *before
	var ok bool
	if !parseID(found.eventID.Value, &e.ID) || e.ID == uuid.Nil || len(found.eventID.Value) != dashedLen {
		return Envelope{}, badHeader(HeaderEventID)
	}
	if e.ReceivedAt, ok = parseMillis(found.receivedAt.Value); !ok || e.ReceivedAt.Before(epoch) {
		return Envelope{}, badHeader(HeaderReceivedAt)
	}
	if found.sentAt != nil {
		if e.SentAt, ok = parseMillis(found.sentAt.Value); !ok {
			return Envelope{}, badHeader(HeaderSentAt)
		}
	}
	if found.traceparent != nil {
		if v := string(found.traceparent.Value); ValidTraceparent(v) {
			e.Traceparent = v
		}
	}
	if found.format != nil {
		if e.Format = string(found.format.Value); !validFormat(e.Format) {
			return Envelope{}, badHeader(HeaderFormat)
		}
	}
	return e, nil
}

func badHeader(name string) *RecordError {
	return &RecordError{Reason: DeadBadHeader, Detail: "the header " + name + " is not well-formed"}
}

// ourHeaders are the values of one record's headers. Optional headers that are missing are nil.
type ourHeaders struct {
	version, project, eventID, receivedAt, sentAt, traceparent, format *Header
}

// HeaderName returns b as a string. For the name of a header of the envelope it returns the constant, without
// allocating; comparing the constant with itself is cheap.
func HeaderName(b []byte) (string, bool) {
	for _, name := range [MostHeaders]string{
		HeaderVersion, HeaderProject, HeaderEventID, HeaderReceivedAt, HeaderSentAt, HeaderTraceparent, HeaderFormat,
	} {
		if string(b) == name {
			return name, true
		}
	}
	return "", false
}

func (o *ourHeaders) slot(name string) **Header {
	switch name {
	case HeaderVersion:
		return &o.version
	case HeaderProject:
		return &o.project
	case HeaderEventID:
		return &o.eventID
	case HeaderReceivedAt:
		return &o.receivedAt
	case HeaderSentAt:
		return &o.sentAt
	case HeaderTraceparent:
		return &o.traceparent
	case HeaderFormat:
		return &o.format
	}
	return nil
}

// pickHeaders finds the envelope's headers among all headers of a record.
func pickHeaders(headers []Header) (found ourHeaders, err *RecordError) {
	if len(headers) == 4 && headers[0].Key == HeaderVersion && headers[1].Key == HeaderProject &&
		headers[2].Key == HeaderEventID && headers[3].Key == HeaderReceivedAt { // Envelope.Headers' order
		return ourHeaders{
			version: &headers[0], project: &headers[1], eventID: &headers[2], receivedAt: &headers[3],
		}, nil
	}
	for i := range headers {
		slot := found.slot(headers[i].Key)
		if slot == nil {
			continue
		}
		if *slot != nil {
			return found, &RecordError{Reason: DeadBadHeader, Detail: "the header " + headers[i].Key + " comes twice"}
		}
		*slot = &headers[i]
	}
	for _, name := range []string{HeaderVersion, HeaderProject, HeaderEventID, HeaderReceivedAt} {
		if *found.slot(name) == nil {
			return found, &RecordError{Reason: DeadMissingHeader, Detail: "the header " + name + " is missing"}
		}
	}
	return found, nil
}

// parseMillis reads a decimal integer as Unix milliseconds. It accepts only times that a DateTime64(3) can hold.
func parseMillis(b []byte) (time.Time, bool) {
	digits := b
	if len(b) > 0 && b[0] == '-' {
		digits = b[1:]
	}
	if len(digits) == 0 || len(digits) > longestMillis {
		return time.Time{}, false
	}
	ms := int64(decimal(digits))
	if ms < 0 {
		return time.Time{}, false
	}
	if len(digits) < len(b) {
		ms = -ms
	}
	return utc(ms), representable(ms)
}
