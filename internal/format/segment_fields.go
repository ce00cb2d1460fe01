package format

import "sluice/internal/strictjson"

// What segment makes of calls that leave their type out, and the keys of its tags.
var (
	callTrack    = fixed("track")
	callAlias    = fixed("alias")
	callGroup    = fixed("group")
	callIdentify = fixed("identify")

	tagType    = fixed("type")
	tagGroupID = fixed("groupId")
	tagChannel = fixed("channel")
)

// The kinds of objects in a call.
const (
	segmentCall strictjson.Kind = iota
	segmentContext
	segmentApp
	segmentLibrary
	segmentTraits
)

// The members of a call that mean something.
const (
	segmentType = 1 + strictjson.NoField + iota
	segmentEvent
	segmentName
	segmentMessageID
	segmentTimestamp
	segmentOriginal
	segmentUserID
	segmentAnonymousID
	segmentGroupID
	segmentPreviousID
	segmentChannel
	segmentContextOf
	segmentTraitsOf
	segmentAppOf
	segmentLibraryOf
	segmentVersion
	segmentEmail
)

// Fields implements event.Reader.
func (segment) Fields(kind strictjson.Kind, name []byte) strictjson.Field {
	switch kind {
	case segmentCall:
		return segmentCallField(name)
	case segmentContext:
		return segmentContextField(name)
	case segmentTraits:
		if string(name) == "email" {
			return segmentEmail
		}
	case segmentApp, segmentLibrary:
		switch string(name) {
		case "name":
			return segmentName
		case "version":
			return segmentVersion
		}
	}
	return strictjson.NoField
}

func segmentCallField(name []byte) strictjson.Field {
	switch string(name) {
	case "type":
		return segmentType
	case "event":
		return segmentEvent
	case "name":
		return segmentName
	case "messageId":
		return segmentMessageID
	case "timestamp":
		return segmentTimestamp
	case "originalTimestamp":
		return segmentOriginal
	case "userId":
		return segmentUserID
	case "anonymousId":
		return segmentAnonymousID
	case "groupId":
		return segmentGroupID
	case "previousId":
		return segmentPreviousID
	case "channel":
		return segmentChannel
	case "context":
		return segmentContextOf
	case "traits":
		return segmentTraitsOf
	}
	return strictjson.NoField
}

func segmentContextField(name []byte) strictjson.Field {
	switch string(name) {
	case "app":
		return segmentAppOf
	case "library":
		return segmentLibraryOf
	case "traits":
		return segmentTraitsOf
	case "groupId":
		return segmentGroupID
	}
	return strictjson.NoField
}
