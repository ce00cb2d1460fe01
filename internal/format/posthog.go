package format

import (
	"sluice/internal/event"
	"sluice/internal/strictjson"
)

// PostHog is the format of the events of PostHog's clients.
const PostHog = "posthog"

// posthog reads one event.
type posthog struct{}

func newPostHog() event.Reader { return posthog{} }

// Fields implements event.Reader.
func (posthog) Fields(kind strictjson.Kind, name []byte) strictjson.Field {
	if int(kind) >= len(posthogField) {
		return strictjson.NoField
	}
	return posthogField[kind][string(name)]
}

// posthogTexts are the members of one event, until its end shows which of them count.
type posthogTexts struct {
	event, uuid, insertID, level event.Text
	distinctID, propertiesID     event.Text
	timestamp, propertiesTime    event.Timestamp
	email, propertiesEmail       event.Text
	olderType, olderValue        event.Text
}

const reasonNoEvent = "An item needs an event, which is its name."

// Read implements event.Reader.
func (posthog) Read(s *strictjson.Scanner, ev *event.Event) *event.Error {
	var c posthogTexts
	for o := s.Object(posthogItem); s.Member(&o); {
		switch o.Field {
		case posthogEvent:
			c.event = s.Scalar()
		case posthogUUID:
			c.uuid = s.Scalar()
		case posthogTimestamp:
			c.timestamp = event.ReadTime(s)
		case posthogDistinctID:
			c.distinctID = firstGiven(s.Scalar(), c.distinctID)
		case posthogPropertiesOf:
			c.properties(s, ev)
		case posthogSet, posthogSetOnce:
			c.person(s)
		default:
			s.Value()
		}
	}
	return c.fill(ev)
}

// properties reads the properties of an event.
func (c *posthogTexts) properties(s *strictjson.Scanner, ev *event.Event) {
	if s.Peek() != '{' {
		s.Value()
		return
	}
	for o := s.Object(posthogProperties); s.Member(&o); {
		switch o.Field {
		case posthogDistinctID:
			c.propertiesID = s.Scalar()
		case posthogInsertID:
			c.insertID = s.Scalar()
		case posthogTimestamp:
			c.propertiesTime = event.ReadTime(s)
		case posthogSet, posthogSetOnce:
			c.person(s)
		case posthogEmail:
			c.propertiesEmail = firstGiven(s.Scalar(), c.propertiesEmail)
		case posthogAppVersion:
			ev.Release = s.Scalar()
		case posthogLib:
			ev.SDK.Name = s.Scalar()
		case posthogLibVersion:
			ev.SDK.Version = s.Scalar()
		case posthogLevel:
			c.level = firstGiven(s.Scalar(), c.level)
		case posthogExceptions:
			posthogReadExceptions(s, ev)
		case posthogOlderType:
			c.olderType = s.Scalar()
		case posthogOlderValue:
			c.olderValue = s.Scalar()
		case strictjson.NoField:
			s.Value()
		default:
			addTag(ev, posthogTagKeys[o.Field-posthogFirstTag], s.Any())
		}
	}
}

// person reads properties of the user that an event sets.
func (c *posthogTexts) person(s *strictjson.Scanner) {
	if s.Peek() != '{' {
		s.Value()
		return
	}
	for o := s.Object(posthogPerson); s.Member(&o); {
		if o.Field == posthogEmail {
			c.email = firstGiven(s.Scalar(), c.email)
		} else {
			s.Value()
		}
	}
}

// fill makes the event.
func (c *posthogTexts) fill(ev *event.Event) *event.Error {
	if c.event.IsBlank() {
		return &event.Error{Code: event.CodeInvalidEvent, Field: "event", Reason: reasonNoEvent}
	}
	if !ev.SetID(c.uuid) && !c.insertID.IsBlank() {
		ev.IDSource = c.insertID
	}
	ev.Timestamp = c.timestamp
	if !c.timestamp.Present() {
		ev.Timestamp = c.propertiesTime
	}
	ev.UserID = firstGiven(c.distinctID, c.propertiesID)
	ev.UserEmail = firstGiven(c.email, c.propertiesEmail)
	ev.Message = c.event
	if c.event.Equal(posthogExceptionEvent) {
		c.exception(ev)
	}
	if level, known := event.ParseLevel(c.level); known {
		ev.Level = level
	}
	return nil
}

// exception makes the event of an exception. Its message is the exception's, which says more than the event's name.
func (c *posthogTexts) exception(ev *event.Event) {
	e := &ev.Exception
	if e.Type.IsZero() && e.Value.IsZero() {
		e.Type, e.Value = c.olderType, c.olderValue
	}
	if !e.Type.IsBlank() || !e.Value.IsBlank() {
		ev.Message = event.Text{}
	}
	ev.Level = event.LevelError
}

// posthogExceptionEvent is the name of events that report exceptions.
var posthogExceptionEvent = fixed("$exception")

var posthogTagKeys [len(posthogTags)]event.Text
