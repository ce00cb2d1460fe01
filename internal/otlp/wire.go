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
	n := 1
	if f.tag = uint64(b[0]); f.tag >= 0x80 {
		if f.tag, n = protowire.ConsumeVarint(b); n < 0 {
			return -1
		}
	}
	number := f.tag >> 3
	if number < uint64(protowire.MinValidNumber) || number > uint64(protowire.MaxValidNumber) {
		return -1
	}
	size := 0
	switch kind := protowire.Type(f.tag & 7); kind {
	case protowire.VarintType:
		f.scalar, size = protowire.ConsumeVarint(b[n:])
	case protowire.BytesType:
		f.bytes, size = bytesField(b[n:])
	case protowire.Fixed64Type:
		if len(b) < n+8 {
			return -1
		}
		f.scalar, size = binary.LittleEndian.Uint64(b[n:]), 8
	case protowire.Fixed32Type:
		if len(b) < n+4 {
			return -1
		}
		f.scalar, size = uint64(binary.LittleEndian.Uint32(b[n:])), 4
	default:
		size = protowire.ConsumeFieldValue(protowire.Number(number), kind, b[n:])
	}
	if size < 0 {
		return -1
	}
	return n + size
}

// bytesField reads a length and as many bytes.
func bytesField(b []byte) ([]byte, int) {
	if len(b) == 0 || b[0] >= 0x80 {
		return protowire.ConsumeBytes(b)
	}
	end := 1 + int(b[0])
	if end > len(b) {
		return nil, -1
	}
	return b[1:end:end], end
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
