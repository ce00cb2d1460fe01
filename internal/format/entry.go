package format

import (
	"sluice/internal/event"
	"sluice/internal/strictjson"
)

// entry reads one log entry: the object that a logger or a shipper wrote, whatever its field names. The names are those
// of the Elastic Common Schema, nested or with dots, and of common loggers. Readers of formats embed it.
type entry struct {
	texts [entryTexts]strictjson.Text
	times [entryTimes]event.Timestamp
}

// The kinds of objects of an entry. The scanner learns the order of the members of all but the last ones.
const (
	kindOuter strictjson.Kind = iota // the object around an entry, if the format has one
	kindEntry
	kindLog
	kindHost
	kindError
	kindService
	kindUser
	kindTags // any names

	kindTrace
	kindTransaction
	kindEvent
)

// The fields of an entry that are texts. Of several fields with the same meaning the first wins.
const (
	entryMessage = iota
	entryMsg
	entryLog
	entryShortMessage
	entryOriginal
	entryLogLevel
	entryLevel
	entrySeverity
	entrySeverityText
	entryLevelName
	entryHostName
	entryHost
	entryHostname
	entryErrorType
	entryErrorClass
	entryErrorMessage
	entryErrorValue
	entryServiceName
	entryVersion
	entryServiceEnvironment
	entryEnvironment
	entryRelease
	entryTrace
	entryTraceID
	entryTraceCamel
	entryTransaction
	entryUserID
	entryUserEmail
	entryLogger
	entryTexts
)

// The fields of an entry that are times. The first that is given wins.
const (
	entryAtTimestamp = iota
	entryTimestamp
	entryTime
	entryTS
	entryTimes
)

// The numbers of the fields: first the texts, then the times, then what is neither.
const (
	fieldTexts = 1 + strictjson.NoField
	fieldTimes = fieldTexts + entryTexts
	fieldTags  = fieldTimes + entryTimes
	fieldError = fieldTags + 1 // an object, or passed over
	fieldTrace = fieldError + 1

	fieldService     = fieldTrace + 1
	fieldUser        = fieldService + 1
	fieldTransaction = fieldUser + 1
	fieldEvent       = fieldTransaction + 1
	fieldOuter       = fieldEvent + 1 // from here on: the fields of the object around
)

// names are the members of each kind of object that mean something.
var names = [...]map[string]strictjson.Field{
	kindEntry: {
		"message": fieldTexts + entryMessage, "msg": fieldTexts + entryMsg, "log": fieldTexts + entryLog,
		"short_message": fieldTexts + entryShortMessage, "event.original": fieldTexts + entryOriginal,
		"log.level": fieldTexts + entryLogLevel, "level": fieldTexts + entryLevel, "severity": fieldTexts + entrySeverity,
		"severity_text": fieldTexts + entrySeverityText, "levelname": fieldTexts + entryLevelName,
		"log.logger": fieldTexts + entryLogger, "logger": fieldTexts + entryLogger,
		"host": fieldTexts + entryHost, "host.name": fieldTexts + entryHostName, "host.hostname": fieldTexts + entryHostname,
		"hostname": fieldTexts + entryHostname, "server_name": fieldTexts + entryHostName,
		"error": fieldError, "exception": fieldError, "error.type": fieldTexts + entryErrorType,
		"error.message": fieldTexts + entryErrorMessage, "exception.type": fieldTexts + entryErrorClass,
		"exception.message": fieldTexts + entryErrorValue,
		"service":           fieldService, "service.name": fieldTexts + entryServiceName,
		"service.version": fieldTexts + entryVersion, "service.environment": fieldTexts + entryServiceEnvironment,
		"environment": fieldTexts + entryEnvironment, "release": fieldTexts + entryRelease,
		"trace": fieldTrace, "trace.id": fieldTexts + entryTrace, "trace_id": fieldTexts + entryTraceID,
		"traceId": fieldTexts + entryTraceCamel, "transaction": fieldTransaction,
		"transaction.name": fieldTexts + entryTransaction, "user": fieldUser, "user.id": fieldTexts + entryUserID,
		"user.email": fieldTexts + entryUserEmail, "event": fieldEvent, "tags": fieldTags, "labels": fieldTags,
		"@timestamp": fieldTimes + entryAtTimestamp, "timestamp": fieldTimes + entryTimestamp,
		"time": fieldTimes + entryTime, "ts": fieldTimes + entryTS,
	},
	kindLog:  {"level": fieldTexts + entryLogLevel, "logger": fieldTexts + entryLogger},
	kindHost: {"name": fieldTexts + entryHostName, "hostname": fieldTexts + entryHostname},
	kindError: {
		"type": fieldTexts + entryErrorType, "class": fieldTexts + entryErrorClass,
		"exception_class": fieldTexts + entryErrorClass, "message": fieldTexts + entryErrorMessage,
		"value": fieldTexts + entryErrorValue, "exception_message": fieldTexts + entryErrorValue,
	},
	kindService: {
		"name": fieldTexts + entryServiceName, "version": fieldTexts + entryVersion,
		"environment": fieldTexts + entryServiceEnvironment,
	},
	kindUser:        {"id": fieldTexts + entryUserID, "email": fieldTexts + entryUserEmail},
	kindTrace:       {"id": fieldTexts + entryTrace},
	kindTransaction: {"name": fieldTexts + entryTransaction},
	kindEvent:       {"original": fieldTexts + entryOriginal},
}

// nested are the kinds of the fields that may be objects. kindOuter is none.
var nested = [256]strictjson.Kind{
	fieldTexts + entryLog: kindLog, fieldTexts + entryHost: kindHost, fieldError: kindError, fieldService: kindService,
	fieldUser: kindUser, fieldTrace: kindTrace, fieldTransaction: kindTransaction, fieldEvent: kindEvent,
}

// Fields is part of event.Reader.
func (*entry) Fields(kind strictjson.Kind, name []byte) strictjson.Field {
	if int(kind) >= len(names) {
		return strictjson.NoField
	}
	return names[kind][string(name)]
}

// read moves over the entry at the scanner's position and fills ev. It leaves alone what ev has already.
func (e *entry) read(s *strictjson.Scanner, ev *event.Event) {
	*e = entry{}
	e.object(s, ev, kindEntry)
	e.fill(ev)
}

func (e *entry) object(s *strictjson.Scanner, ev *event.Event, kind strictjson.Kind) {
	for o := s.Object(kind); s.Member(&o); {
		switch inner := nested[o.Field]; {
		case o.Field == strictjson.NoField:
			s.Value()
		case o.Field == fieldTags:
			readTags(s, ev)
		case inner != kindOuter && s.Peek() == '{':
			e.object(s, ev, inner)
		case o.Field >= fieldTags:
			s.Value()
		case o.Field >= fieldTimes:
			e.times[o.Field-fieldTimes] = event.ReadTime(s)
		default:
			if text := s.Scalar(); e.texts[o.Field-fieldTexts].IsZero() {
				e.texts[o.Field-fieldTexts] = text
			}
		}
	}
}

// fill gives ev what the entry has and ev has not.
func (e *entry) fill(ev *event.Event) {
	e.first(&ev.Message, entryMessage, entryOriginal)
	for i := entryLogLevel; i <= entryLevelName && ev.Level == 0; i++ {
		ev.Level = levelOf(e.texts[i])
	}
	e.first(&ev.ServerName, entryHostName, entryHostname)
	e.first(&ev.Exception.Type, entryErrorType, entryErrorClass)
	e.first(&ev.Exception.Value, entryErrorMessage, entryErrorValue)
	e.first(&ev.Release, entryRelease, entryRelease)
	e.first(&ev.Release, entryVersion, entryVersion)
	e.first(&ev.Environment, entryServiceEnvironment, entryEnvironment)
	e.first(&ev.TraceID, entryTrace, entryTraceCamel)
	e.first(&ev.Transaction, entryTransaction, entryTransaction)
	e.first(&ev.UserID, entryUserID, entryUserID)
	e.first(&ev.UserEmail, entryUserEmail, entryUserEmail)
	for _, tag := range [...]struct {
		key   string
		field int
	}{{"service.name", entryServiceName}, {"log.logger", entryLogger}} {
		if text := e.texts[tag.field]; !text.IsZero() {
			ev.AddTag(strictjson.Verbatim([]byte(tag.key)), text)
		}
	}
	for i := 0; i < entryTimes && !ev.Timestamp.Present(); i++ {
		ev.Timestamp = e.times[i]
	}
	if ev.Level == 0 && (!ev.Exception.Type.IsZero() || !ev.Exception.Value.IsZero()) {
		ev.Level = event.LevelError
	}
}

// first fills a text with the first that is not empty of the entry's texts from one to another.
func (e *entry) first(into *strictjson.Text, from, to int) {
	for i := from; i <= to && into.IsZero(); i++ {
		*into = e.texts[i]
	}
}

// levelOf reads a level's word, a syslog severity from 0 to 7, or a number from 10 to 60 as pino and bunyan write it. It
// returns 0 for anything else.
func levelOf(word strictjson.Text) event.Level {
	if level, known := event.ParseSeverity(word); known {
		return level
	}
	if b, plain := word.Verbatim(); plain && len(b) == 2 && b[1] == '0' && '1' <= b[0] && b[0] <= '6' {
		return [...]event.Level{
			event.LevelDebug, event.LevelDebug, event.LevelInfo, event.LevelWarning, event.LevelError, event.LevelFatal,
		}[b[0]-'1']
	}
	return 0
}

// readTags moves over tags: an object, or an array of words, each of which becomes a tag with the value true.
func readTags(s *strictjson.Scanner, ev *event.Event) {
	switch s.Peek() {
	case '{':
		for o := s.Object(kindTags); s.Member(&o); {
			ev.AddTag(s.Name(&o), s.Any())
		}
	case '[':
		for a := s.Array(); s.Item(&a); {
			ev.AddTag(s.Scalar(), wordTrue)
		}
	default:
		s.Value()
	}
}

var wordTrue = strictjson.Verbatim([]byte("true"))
