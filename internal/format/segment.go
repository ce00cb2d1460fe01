package format

import (
	"sluice/internal/event"
	"sluice/internal/strictjson"
)

// Segment is the format of the items of Segment's and RudderStack's clients. An item is a call: track, identify, page,
// screen, group or alias.
const Segment = "segment"

// SegmentTypes are the types of calls.
var SegmentTypes = []string{"track", "identify", "page", "screen", "group", "alias"}

// segment reads one call.
type segment struct{}

func newSegment() event.Reader { return segment{} }

// segmentTexts are the members of one call, until its end shows which of them count.
type segmentTexts struct {
	callType, event, name          event.Text
	messageID, userID, anonymousID event.Text
	groupID, previousID, channel   event.Text
	email, contextEmail            event.Text
	contextGroup                   event.Text
	timestamp, original            event.Timestamp
	traits                         bool
}

// Read implements event.Reader.
func (segment) Read(s *strictjson.Scanner, ev *event.Event) *event.Error {
	var c segmentTexts
	for o := s.Object(segmentCall); s.Member(&o); {
		switch o.Field {
		case segmentType:
			c.callType = s.Scalar()
		case segmentEvent:
			c.event = s.Scalar()
		case segmentName:
			c.name = s.Scalar()
		case segmentMessageID:
			c.messageID = s.Scalar()
		case segmentTimestamp:
			c.timestamp = event.ReadTime(s)
		case segmentOriginal:
			c.original = event.ReadTime(s)
		case segmentUserID:
			c.userID = s.Scalar()
		case segmentAnonymousID:
			c.anonymousID = s.Scalar()
		case segmentGroupID:
			c.groupID = s.Scalar()
		case segmentPreviousID:
			c.previousID = s.Scalar()
		case segmentChannel:
			c.channel = s.Scalar()
		case segmentContextOf:
			c.readContext(s, ev)
		case segmentTraitsOf:
			c.traits = s.Peek() == '{'
			c.email = segmentEmailIn(s)
		default:
			s.Value()
		}
	}
	return c.fill(ev)
}

// readContext reads the context of a call.
func (c *segmentTexts) readContext(s *strictjson.Scanner, ev *event.Event) {
	if s.Peek() != '{' {
		s.Value()
		return
	}
	for o := s.Object(segmentContext); s.Member(&o); {
		switch o.Field {
		case segmentAppOf:
			_, ev.Release = segmentNamed(s, segmentApp)
		case segmentLibraryOf:
			ev.SDK.Name, ev.SDK.Version = segmentNamed(s, segmentLibrary)
		case segmentTraitsOf:
			c.contextEmail = segmentEmailIn(s)
		case segmentGroupID:
			c.contextGroup = s.Scalar()
		default:
			s.Value()
		}
	}
}

// segmentNamed reads the name and the version of an object. A bare text is the name.
func segmentNamed(s *strictjson.Scanner, kind strictjson.Kind) (name, version event.Text) {
	if s.Peek() != '{' {
		return s.Scalar(), event.Text{}
	}
	for o := s.Object(kind); s.Member(&o); {
		switch o.Field {
		case segmentName:
			name = s.Scalar()
		case segmentVersion:
			version = s.Scalar()
		default:
			s.Value()
		}
	}
	return name, version
}

// segmentEmailIn reads the email of traits.
func segmentEmailIn(s *strictjson.Scanner) (email event.Text) {
	if s.Peek() != '{' {
		s.Value()
		return email
	}
	for o := s.Object(segmentTraits); s.Member(&o); {
		if o.Field == segmentEmail {
			email = s.Scalar()
		} else {
			s.Value()
		}
	}
	return email
}

const reasonNoType = "An item needs a type (track, identify, page, screen, group or alias) or an event."

// fill makes the event of a call.
func (c *segmentTexts) fill(ev *event.Event) *event.Error {
	if !ev.SetID(c.messageID) && !c.messageID.IsBlank() {
		ev.IDSource = c.messageID
	}
	callType := c.callType
	if callType.IsBlank() {
		callType = c.inferredType()
	}
	switch {
	case !c.event.IsBlank():
		ev.Message = c.event
	case !callType.IsZero():
		ev.Message = ev.Compose(" ", callType, c.name)
	default:
		return &event.Error{Code: event.CodeInvalidEvent, Field: "type", Reason: reasonNoType}
	}
	ev.Timestamp = c.timestamp
	if _, understood := c.timestamp.Time(); !understood && c.original.Present() {
		ev.Timestamp = c.original
	}
	ev.UserID = firstGiven(c.userID, c.anonymousID)
	ev.UserEmail = firstGiven(c.email, c.contextEmail)
	addTag(ev, tagType, callType)
	addTag(ev, tagGroupID, firstGiven(c.groupID, c.contextGroup))
	addTag(ev, tagChannel, c.channel)
	return nil
}

// inferredType returns the type of a call by the members that only calls of this type have, or nothing.
func (c *segmentTexts) inferredType() event.Text {
	switch {
	case !c.event.IsBlank():
		return callTrack
	case !c.previousID.IsZero():
		return callAlias
	case !c.groupID.IsZero():
		return callGroup
	case c.traits:
		return callIdentify
	}
	return event.Text{}
}
