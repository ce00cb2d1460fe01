package otlp

import (
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a message on the wire.
type field struct {
	// tag is the field's number and wire type, as on the wire: number<<3 | type.
	tag    uint64
	scalar uint64 // of a varint, fixed64 or fixed32
	bytes  []byte // of a length-delimited field; aliases the message
}

// read reads the field with which b begins and returns its size in bytes, or −1 if b is malformed. The content of a
// group is passed over.
func (f *field) read(b []byte) int {
	if f.tag = uint64(b[0]); f.tag >= 0x80 {
		return f.readAny(b)
	}
	switch f.tag & 7 { // the usual forms of the usual fields; a number of 0 is malformed
	case length:
		if len(b) > 1 && b[1] < 0x80 && f.tag > 7 {
			end := 2 + int(b[1])
			if end > len(b) {
				return -1
			}
			f.bytes = b[2:end:end]
			return end
		}
	case fixed64:
		if len(b) >= 9 && f.tag > 7 {
			f.scalar = binary.LittleEndian.Uint64(b[1:])
			return 9
		}
	case varint:
		if len(b) > 1 && b[1] < 0x80 && f.tag > 7 {
			f.scalar = uint64(b[1])
			return 2
		}
	}
	return f.readAny(b)
}

// readAny is read for every form of a field.
func (f *field) readAny(b []byte) int {
	tag, n := protowire.ConsumeVarint(b)
	f.tag = tag
	number := tag >> 3
	if n < 0 || number < uint64(protowire.MinValidNumber) || number > uint64(protowire.MaxValidNumber) {
		return -1
	}
	size := 0
	switch kind := protowire.Type(tag & 7); kind {
	case protowire.VarintType:
		f.scalar, size = protowire.ConsumeVarint(b[n:])
	case protowire.BytesType:
		f.bytes, size = protowire.ConsumeBytes(b[n:])
	case protowire.Fixed64Type:
		f.scalar, size = protowire.ConsumeFixed64(b[n:])
	case protowire.Fixed32Type:
		var v uint32
		v, size = protowire.ConsumeFixed32(b[n:])
		f.scalar = uint64(v)
	default:
		size = protowire.ConsumeFieldValue(protowire.Number(number), kind, b[n:])
	}
	if size < 0 {
		return -1
	}
	return n + size
}

// message is a message that may occur several times where protobuf allows one. All occurrences together are the
// message.
type message struct {
	given bool
	first []byte
	more  [][]byte
}

// add adds an occurrence.
func (m *message) add(b []byte) {
	switch {
	case !m.given:
		m.given, m.first = true, b
	case len(b) > 0:
		m.more = append(m.more, b)
	}
}

// parts returns how many occurrences there are.
func (m *message) parts() int { return 1 + len(m.more) }

// part returns one occurrence.
func (m *message) part(i int) []byte {
	if i == 0 {
		return m.first
	}
	return m.more[i-1]
}

// The wire types, as part of a tag.
const (
	varint  = uint64(protowire.VarintType)
	fixed64 = uint64(protowire.Fixed64Type)
	fixed32 = uint64(protowire.Fixed32Type)
	length  = uint64(protowire.BytesType)
)

// The fields of the messages, as tags. A known number with another wire type is an unknown field.
const (
	requestResourceLogs = 1<<3 | length

	resourceLogsResource  = 1<<3 | length
	resourceLogsScopeLogs = 2<<3 | length
	resourceLogsSchemaURL = 3<<3 | length

	scopeLogsScope      = 1<<3 | length
	scopeLogsLogRecords = 2<<3 | length
	scopeLogsSchemaURL  = 3<<3 | length

	resourceAttributes = 1<<3 | length
	resourceDropped    = 2<<3 | varint
	resourceEntityRefs = 3<<3 | length

	entitySchemaURL       = 1<<3 | length
	entityType            = 2<<3 | length
	entityIDKeys          = 3<<3 | length
	entityDescriptionKeys = 4<<3 | length

	scopeName       = 1<<3 | length
	scopeVersion    = 2<<3 | length
	scopeAttributes = 3<<3 | length
	scopeDropped    = 4<<3 | varint

	recordTime           = 1<<3 | fixed64
	recordSeverityNumber = 2<<3 | varint
	recordSeverityText   = 3<<3 | length
	recordBody           = 5<<3 | length
	recordAttributes     = 6<<3 | length
	recordDropped        = 7<<3 | varint
	recordFlags          = 8<<3 | fixed32
	recordTraceID        = 9<<3 | length
	recordSpanID         = 10<<3 | length
	recordObservedTime   = 11<<3 | fixed64
	recordEventName      = 12<<3 | length

	keyValueKey   = 1<<3 | length
	keyValueValue = 2<<3 | length

	listValues = 1<<3 | length // of ArrayValue and KeyValueList

	anyString   = 1<<3 | length
	anyBool     = 2<<3 | varint
	anyInt      = 3<<3 | varint
	anyDouble   = 4<<3 | fixed64
	anyArray    = 5<<3 | length
	anyKVList   = 6<<3 | length
	anyBytes    = 7<<3 | length
	anyStrindex = 8<<3 | varint // used in profiles only; it means nothing in a log
)
