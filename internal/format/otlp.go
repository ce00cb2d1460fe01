package format

import (
	"bytes"
	"strconv"

	"sluice/internal/event"
	"sluice/internal/strictjson"
)

// OTLP is the name of the format of OpenTelemetry's logs: a log record in the OTLP JSON encoding with its resource and
// scope, {"resource":{…},"scope":{…},"logRecord":{…}}.
const OTLP = "otlp"

// The kinds of objects in an item.
const (
	otlpItem strictjson.Kind = iota
	otlpResource
	otlpScope
	otlpRecord
	otlpPair // a KeyValue
	otlpAny  // an AnyValue
	otlpList // an ArrayValue or a KeyValueList
)

const (
	otlpResourceField = 1 + strictjson.NoField + iota
	otlpScopeField
	otlpRecordField
	otlpAttributes
	otlpName
	otlpVersion
	otlpTime
	otlpObservedTime
	otlpSeverityNumber
	otlpSeverityText
	otlpBody
	otlpTraceID
	otlpEventName
	otlpKey
	otlpValue
	otlpString
	otlpScalar // boolValue, doubleValue, bytesValue
	otlpInt
	otlpArray
	otlpKVList
	otlpValues
)

// otlpNames are the fields of each kind.
var otlpNames = [...]map[string]strictjson.Field{
	otlpItem:     {"resource": otlpResourceField, "scope": otlpScopeField, "logRecord": otlpRecordField},
	otlpResource: {"attributes": otlpAttributes},
	otlpScope:    {"name": otlpName, "version": otlpVersion},
	otlpRecord: {
		"timeUnixNano": otlpTime, "observedTimeUnixNano": otlpObservedTime, "severityNumber": otlpSeverityNumber,
		"severityText": otlpSeverityText, "body": otlpBody, "attributes": otlpAttributes, "traceId": otlpTraceID,
		"eventName": otlpEventName,
	},
	otlpPair: {"key": otlpKey, "value": otlpValue},
	otlpAny: {
		"stringValue": otlpString, "boolValue": otlpScalar, "doubleValue": otlpScalar, "bytesValue": otlpScalar,
		"intValue": otlpInt, "arrayValue": otlpArray, "kvlistValue": otlpKVList,
	},
	otlpList: {"values": otlpValues},
}

// otlpReader reads the items of OTLP. It takes every log record.
type otlpReader struct {
	values otlpText
	record otlpLogRecord
	older  strictjson.Text // deployment.environment, the older name of deployment.environment.name
}

func newOTLP() event.Reader { return &otlpReader{} }

func (*otlpReader) Fields(kind strictjson.Kind, name []byte) strictjson.Field {
	return otlpNames[kind][string(name)]
}

func (r *otlpReader) Read(s *strictjson.Scanner, ev *event.Event) *event.Error {
	r.values.reset()
	r.record, r.older = otlpLogRecord{}, strictjson.Text{}
	var scope event.SDK
	for o := s.Object(otlpItem); s.Member(&o); {
		switch isObject := s.Peek() == '{'; {
		case isObject && o.Field == otlpResourceField:
			r.resource(s, ev)
		case isObject && o.Field == otlpScopeField:
			scope = readOTLPScope(s)
			ev.AddTag(otlpScopeTag, scope.Name)
		case isObject && o.Field == otlpRecordField:
			r.logRecord(s, ev)
		default:
			s.Value()
		}
	}
	if ev.SDK.Name.IsZero() {
		ev.SDK = scope
	}
	otlpFill(&ev.Environment, r.older)
	return nil
}

// otlpScopeTag is the tag of a scope's name, by OpenTelemetry's rules for formats without scopes.
var otlpScopeTag = strictjson.Verbatim([]byte("otel.scope.name"))

// otlpFill sets a text that is absent.
func otlpFill(t *strictjson.Text, with strictjson.Text) {
	if t.IsZero() {
		*t = with
	}
}

// otlpLongestKey is the length of the longest key of an attribute that has a column, in bytes.
const otlpLongestKey = len("deployment.environment.name")

// resource reads the resource. Of its attributes service.name is a tag; others have a column.
func (r *otlpReader) resource(s *strictjson.Scanner, ev *event.Event) {
	for o := s.Object(otlpResource); s.Member(&o); {
		if o.Field != otlpAttributes {
			s.Value()
			continue
		}
		r.values.attributes(s, ev, func(key, value strictjson.Text) {
			var buf [otlpLongestKey]byte
			switch name, _ := key.Small(buf[:]); string(name) {
			case "service.name":
				ev.AddTag(key, value)
			case "service.version":
				otlpFill(&ev.Release, value)
			case "deployment.environment.name":
				otlpFill(&ev.Environment, value)
			case "deployment.environment":
				otlpFill(&r.older, value)
			case "host.name":
				otlpFill(&ev.ServerName, value)
			case "telemetry.sdk.name":
				otlpFill(&ev.SDK.Name, value)
			case "telemetry.sdk.version":
				otlpFill(&ev.SDK.Version, value)
			}
		})
	}
}

func readOTLPScope(s *strictjson.Scanner) (scope event.SDK) {
	for o := s.Object(otlpScope); s.Member(&o); {
		switch o.Field {
		case otlpName:
			scope.Name = s.Scalar()
		case otlpVersion:
			scope.Version = s.Scalar()
		default:
			s.Value()
		}
	}
	return scope
}

// otlpLogRecord holds what only the whole log record gives a meaning.
type otlpLogRecord struct {
	observed     event.Timestamp
	severityText strictjson.Text
	eventName    strictjson.Text
}

func (r *otlpReader) logRecord(s *strictjson.Scanner, ev *event.Event) {
	for o := s.Object(otlpRecord); s.Member(&o); {
		switch o.Field {
		case otlpTime:
			ev.Timestamp = otlpNanos(s)
		case otlpObservedTime:
			r.record.observed = otlpNanos(s)
		case otlpSeverityNumber:
			ev.Level = otlpLevel(s.Scalar())
		case otlpSeverityText:
			r.record.severityText = s.Scalar()
		case otlpBody:
			ev.Message = r.values.text(s, ev)
		case otlpEventName:
			r.record.eventName = s.Scalar()
		case otlpTraceID:
			ev.TraceID = otlpTrace(s.Scalar(), ev)
		case otlpAttributes:
			r.values.attributes(s, ev, func(key, value strictjson.Text) { otlpAttribute(ev, key, value) })
		default:
			s.Value()
		}
	}
	if _, understood := ev.Timestamp.Time(); !understood && r.record.observed.Present() {
		ev.Timestamp = r.record.observed
	}
	if ev.Level == 0 {
		ev.Level, _ = event.ParseLevel(r.record.severityText)
	}
	if ev.Message.IsBlank() {
		ev.Message = r.record.eventName
	}
}

// otlpAttribute gives an attribute of a log record its place. A stack trace is in the payload only.
func otlpAttribute(ev *event.Event, key, value strictjson.Text) {
	var buf [otlpLongestKey]byte
	switch name, _ := key.Small(buf[:]); string(name) {
	case "user.id":
		otlpFill(&ev.UserID, value)
	case "user.email":
		otlpFill(&ev.UserEmail, value)
	case "exception.type":
		otlpFill(&ev.Exception.Type, value)
	case "exception.message":
		otlpFill(&ev.Exception.Value, value)
	case "exception.stacktrace":
		return
	}
	ev.AddTag(key, value)
}

// otlpLevel returns the level of a severity number, which some clients write as the name of the enum's value, or 0.
func otlpLevel(severity strictjson.Text) event.Level {
	var buf [len("SEVERITY_NUMBER_ERROR4")]byte
	b, _ := severity.Small(buf[:])
	if name, is := bytes.CutPrefix(b, []byte("SEVERITY_NUMBER_")); is {
		level, _ := event.ParseLevel(strictjson.Verbatim(bytes.TrimRight(name, "234")))
		return level
	}
	n, _ := strconv.Atoi(string(b))
	switch {
	case n < 1 || n > 24:
		return 0
	case n <= 8:
		return event.LevelDebug
	case n <= 12:
		return event.LevelInfo
	case n <= 16:
		return event.LevelWarning
	case n <= 20:
		return event.LevelError
	}
	return event.LevelFatal
}

// otlpNanos reads nanoseconds since 1970, a string or a number.
func otlpNanos(s *strictjson.Scanner) event.Timestamp {
	var buf [24]byte
	b, _ := s.Scalar().Small(buf[:])
	if len(b) == 0 {
		return event.Timestamp{}
	}
	return event.ParseNanos(b)
}

// otlpTrace returns a trace id in lower case. An id of zeros is absent.
func otlpTrace(id strictjson.Text, ev *event.Event) strictjson.Text {
	b, is := id.Verbatim()
	switch {
	case is && len(bytes.Trim(b, "0")) == 0:
		return strictjson.Text{}
	case is && len(b) == 32 && bytes.ContainsAny(b, "ABCDEF"):
		return ev.Compose("", strictjson.Verbatim(bytes.ToLower(b)))
	}
	return id
}
