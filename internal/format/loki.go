package format

import (
	"sluice/internal/event"
	"sluice/internal/strictjson"
)

// Loki is the format of entries that Loki's push API takes.
const Loki = "loki"

// loki reads entries, each with the labels of its stream:
//
//	{"stream":{"app":"shop","level":"error"},"ts":"1732788000000000000","line":"payment failed","metadata":{"trace_id":"4bf9"}}
//
// The members are those of a push in JSON. ts is in nanoseconds. A line that is a JSON object is read as the entry of a
// logger. What labels and metadata say goes before what the line says.
type loki struct {
	entry
	line strictjson.Scanner // of the entry within the line
}

// The fields of the outer object.
const (
	lokiStream = fieldOuter + iota
	lokiTS
	lokiLine
	lokiMetadata
)

// Fields is part of event.Reader.
func (l *loki) Fields(kind strictjson.Kind, name []byte) strictjson.Field {
	if kind != kindOuter {
		return l.entry.Fields(kind, name)
	}
	switch string(name) {
	case "stream":
		return lokiStream
	case "ts":
		return lokiTS
	case "line":
		return lokiLine
	case "metadata":
		return lokiMetadata
	}
	return strictjson.NoField
}

// Read is part of event.Reader.
func (l *loki) Read(s *strictjson.Scanner, ev *event.Event) *event.Error {
	var line strictjson.Text
	for o := s.Object(kindOuter); s.Member(&o); {
		switch o.Field {
		case lokiStream, lokiMetadata:
			readLabels(s, ev)
		case lokiTS:
			ev.Timestamp = readNanos(s)
		case lokiLine:
			line = s.Scalar()
		default:
			s.Value()
		}
	}
	l.readLine(line, ev)
	return nil
}

// readLine reads the entry that a line holds, or takes the line for the message.
func (l *loki) readLine(line strictjson.Text, ev *event.Event) {
	text, plain := line.Verbatim() // an object begins with no escape
	if !mayBeObject(text) {
		ev.Message = line
		return
	}
	if !plain {
		text, _ = ev.Compose("", line).Verbatim()
	}
	before := *ev
	l.line.Fields = l.Fields
	l.line.Reset(text, l.line.Repairs[:0])
	l.line.Peek()
	l.read(&l.line, ev)
	l.line.End()
	if l.line.Fault != "" { // not an object after all
		*ev = before
	}
	l.line.Release()
	if ev.Message.IsBlank() {
		ev.Message = line
	}
}

// mayBeObject reports whether a text begins as a JSON object does.
func mayBeObject(text []byte) bool {
	for _, c := range text {
		switch c {
		case ' ', '\t', '\n', '\r':
		default:
			return c == '{'
		}
	}
	return false
}

// readLabels moves over labels, which are tags. Some of them mean a field of the event.
func readLabels(s *strictjson.Scanner, ev *event.Event) {
	if s.Peek() != '{' {
		s.Value()
		return
	}
	for o := s.Object(kindTags); s.Member(&o); {
		name, value := s.Name(&o), s.Any()
		ev.AddTag(name, value)
		labelled(ev, name, value)
	}
}

// labelled fills the field that a label with this name is.
func labelled(ev *event.Event, name, value strictjson.Text) {
	var buf [len("deployment_environment_name")]byte
	b, short := name.Small(buf[:])
	if !short {
		return
	}
	var field *strictjson.Text
	switch string(b) {
	case "level", "detected_level", "severity", "severity_text":
		if ev.Level == 0 {
			ev.Level = levelOf(value)
		}
		return
	case "host", "hostname", "host_name", "node_name", "nodename":
		field = &ev.ServerName
	case "environment", "env", "deployment_environment", "deployment_environment_name":
		field = &ev.Environment
	case "version", "release", "service_version":
		field = &ev.Release
	case "trace_id", "traceID", "traceId":
		field = &ev.TraceID
	case "user_id":
		field = &ev.UserID
	default:
		return
	}
	if field.IsZero() {
		*field = value
	}
}

// readNanos moves over a time in nanoseconds, a string or a number.
func readNanos(s *strictjson.Scanner) event.Timestamp {
	text := s.Scalar()
	var buf [len("-9223372036854775808")]byte
	b, short := text.Small(buf[:])
	if !short {
		b = nil
	}
	if text.IsZero() {
		return event.Timestamp{}
	}
	return event.ParseNanos(b)
}
