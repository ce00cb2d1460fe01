package protocol

import (
	"bytes"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"sluice/gateway/body"
	"sluice/gateway/ingest"
)

// A push in protobuf (logproto.PushRequest), in one block of snappy:
//
//	PushRequest  { repeated Stream streams = 1; }
//	Stream       { string labels = 1; repeated Entry entries = 2; }
//	Entry        { Timestamp timestamp = 1; string line = 2; repeated Label structuredMetadata = 3; }
//	Timestamp    { int64 seconds = 1; int32 nanos = 2; }
//	Label        { string name = 1; string value = 2; }
//
// The messages are so few that reading them here is less than the generated types and their dependencies.

var errLokiProtobuf = ingest.Refuse(ingest.KindMalformed, "The push is not a PushRequest in protobuf and snappy.")

// pushProtobuf reads a push in protobuf.
func (sh *shipped) pushProtobuf(s *ingest.Submission) *ingest.Problem {
	if p := s.Decompress(body.Snappy); p != nil {
		return p
	}
	return eachField(s.Body(), func(n protowire.Number, v []byte) *ingest.Problem {
		if n != 1 {
			return nil
		}
		return sh.protobufStream(s, v)
	})
}

// protobufStream reads a stream. Its labels may come behind its entries.
func (sh *shipped) protobufStream(s *ingest.Submission, stream []byte) *ingest.Problem {
	labels := []byte("{}")
	p := eachField(stream, func(n protowire.Number, v []byte) *ingest.Problem {
		if n == 1 {
			labels = appendLabels(nil, v)
		}
		return nil
	})
	if p != nil {
		return p
	}
	return eachField(stream, func(n protowire.Number, v []byte) *ingest.Problem {
		if n != 2 {
			return nil
		}
		if p := full(s); p != nil {
			return p
		}
		parts, p := entryOf(v)
		if p != nil {
			return p
		}
		return sh.pushEntry(s, labels, parts)
	})
}

// entryOf returns the parts of an entry as JSON, see pushEntry.
func entryOf(entry []byte) (parts [3][]byte, p *ingest.Problem) {
	parts[0], parts[1] = []byte(`"0"`), []byte(`""`)
	var metadata []byte
	p = eachField(entry, func(n protowire.Number, v []byte) *ingest.Problem {
		switch n {
		case 1:
			nanos, ok := timestampNanos(v)
			if !ok {
				return errLokiProtobuf
			}
			parts[0] = append(strconv.AppendInt([]byte{'"'}, nanos, 10), '"')
		case 2:
			parts[1] = appendString(nil, v)
		case 3:
			var name, value []byte
			if p := eachField(v, func(n protowire.Number, v []byte) *ingest.Problem {
				switch n {
				case 1:
					name = v
				case 2:
					value = v
				}
				return nil
			}); p != nil {
				return p
			}
			metadata = appendMember(metadata, name, value)
		}
		return nil
	})
	if metadata != nil {
		parts[2] = append(metadata, '}')
	}
	return parts, p
}

// timestampNanos reads a google.protobuf.Timestamp.
func timestampNanos(b []byte) (nanos int64, ok bool) {
	var seconds, rest int64
	for len(b) > 0 {
		n, typ, size := protowire.ConsumeTag(b)
		if size < 0 {
			return 0, false
		}
		b = b[size:]
		if typ != protowire.VarintType {
			if size = protowire.ConsumeFieldValue(n, typ, b); size < 0 {
				return 0, false
			}
			b = b[size:]
			continue
		}
		v, size := protowire.ConsumeVarint(b)
		if size < 0 {
			return 0, false
		}
		b = b[size:]
		switch n {
		case 1:
			seconds = int64(v)
		case 2:
			rest = int64(int32(v))
		}
	}
	return seconds*1e9 + rest, true
}

// eachField calls f for each field of a message that is a string or a message, in order, until f has a problem. It skips
// other fields.
func eachField(b []byte, f func(protowire.Number, []byte) *ingest.Problem) *ingest.Problem {
	for len(b) > 0 {
		n, typ, size := protowire.ConsumeTag(b)
		if size < 0 {
			return errLokiProtobuf
		}
		b = b[size:]
		if typ != protowire.BytesType {
			if size = protowire.ConsumeFieldValue(n, typ, b); size < 0 {
				return errLokiProtobuf
			}
			b = b[size:]
			continue
		}
		v, size := protowire.ConsumeBytes(b)
		if size < 0 {
			return errLokiProtobuf
		}
		if p := f(n, v); p != nil {
			return p
		}
		b = b[size:]
	}
	return nil
}

// appendLabels appends labels, written {app="shop", env="prod"}, as a JSON object. What follows a label that cannot be
// read is left out.
func appendLabels(dst, labels []byte) []byte {
	var object []byte
	rest := bytes.Trim(labels, "{} ")
	for len(rest) > 0 {
		name, after, found := bytes.Cut(rest, []byte("="))
		if !found {
			break
		}
		after = bytes.TrimLeft(after, " ")
		quoted, err := strconv.QuotedPrefix(string(after))
		if err != nil {
			break
		}
		value, err := strconv.Unquote(quoted)
		if err != nil {
			break
		}
		object = appendMember(object, bytes.TrimSpace(name), []byte(value))
		rest = bytes.TrimLeft(after[len(quoted):], ", ")
	}
	if object == nil {
		return append(dst, "{}"...)
	}
	return append(append(dst, object...), '}')
}

// appendMember appends a member to an object that is not closed. A nil object begins.
func appendMember(object, name, value []byte) []byte {
	if object == nil {
		object = append(object, '{')
	} else {
		object = append(object, ',')
	}
	object = append(appendString(object, name), ':')
	return appendString(object, value)
}
