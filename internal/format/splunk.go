package format

import (
	"sluice/internal/event"
	"sluice/internal/strictjson"
)

// Splunk is the format of events that Splunk's HTTP Event Collector takes.
const Splunk = "splunk"

// splunk reads events of the collector:
//
//	{"time":1426279439.123,"host":"web-1","source":"app","sourcetype":"json","index":"main",
//	 "event":"a line, or an object","fields":{"region":"eu"}}
//
// What the outer object says goes before what the event says.
type splunk struct{ entry }

// The fields of the outer object.
const (
	splunkTime = fieldOuter + iota
	splunkHost
	splunkSource
	splunkSourceType
	splunkIndex
	splunkEvent
	splunkFields
)

// Refusals of events. Their fields say which of the collector's answers is meant.
var (
	errNoSplunkEvent    = event.Error{Code: event.CodeInvalidEvent, Field: "event", Reason: SplunkEventRequired}
	errBlankSplunkEvent = event.Error{Code: event.CodeInvalidEvent, Field: "event", Reason: SplunkEventBlank}
)

// The reasons of an item without an event.
const (
	SplunkEventRequired = "Event field is required."
	SplunkEventBlank    = "Event field cannot be blank."
)

// Fields is part of event.Reader.
func (p *splunk) Fields(kind strictjson.Kind, name []byte) strictjson.Field {
	if kind != kindOuter {
		return p.entry.Fields(kind, name)
	}
	switch string(name) {
	case "time":
		return splunkTime
	case "host":
		return splunkHost
	case "source":
		return splunkSource
	case "sourcetype":
		return splunkSourceType
	case "index":
		return splunkIndex
	case "event":
		return splunkEvent
	case "fields":
		return splunkFields
	}
	return strictjson.NoField
}

// Read is part of event.Reader.
func (p *splunk) Read(s *strictjson.Scanner, ev *event.Event) *event.Error {
	p.entry = entry{}
	var outer event.Timestamp
	refused := &errNoSplunkEvent
	for o := s.Object(kindOuter); s.Member(&o); {
		switch o.Field {
		case splunkTime:
			outer = event.ReadTime(s)
		case splunkHost:
			ev.ServerName = s.Scalar()
		case splunkSource, splunkSourceType, splunkIndex:
			name := s.Name(&o)
			if text := s.Scalar(); !text.IsZero() {
				ev.AddTag(name, text)
			}
		case splunkEvent:
			refused = p.event(s, ev)
		case splunkFields:
			p.fields(s, ev)
		default:
			s.Value()
		}
	}
	if outer.Present() {
		ev.Timestamp = outer
	}
	p.fill(ev)
	if refused != nil {
		again := *refused // the decoder writes to it
		return &again
	}
	return nil
}

// event reads what happened, which may be any value.
func (p *splunk) event(s *strictjson.Scanner, ev *event.Event) *event.Error {
	switch s.Peek() {
	case 'n':
		s.Value()
		return &errNoSplunkEvent
	case '{':
		start := s.Pos
		p.object(s, ev, kindEntry)
		p.first(&ev.Message, entryMessage, entryOriginal)
		if ev.Message.IsBlank() && p.texts[entryErrorMessage].IsBlank() && p.texts[entryErrorType].IsBlank() && s.Fault == "" {
			ev.Message = strictjson.Unrepaired(s.Data[start:s.Pos:s.Pos])
		}
	default:
		if ev.Message = s.Any(); ev.Message.IsBlank() {
			return &errBlankSplunkEvent
		}
	}
	return nil
}

// fields reads the fields beside the event, which are tags. A level among them is the event's.
func (p *splunk) fields(s *strictjson.Scanner, ev *event.Event) {
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
