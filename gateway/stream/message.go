package stream

import "sluice/internal/strictjson"

// fieldEvents is the member that makes an object a bulk.
const fieldEvents = 1 + strictjson.NoField

func fields(_ strictjson.Kind, name []byte) strictjson.Field {
	if string(name) == "events" {
		return fieldEvents
	}
	return strictjson.NoField
}

// isBulk reports whether a message is a bulk: an array, an object with a member "events", or several objects one after
// the other. Anything else is one event, or nothing.
func isBulk(message []byte) bool {
	s := strictjson.Scanner{Fields: fields}
	s.Reset(message, nil)
	switch s.Peek() {
	case '[':
		return true
	case '{':
	default:
		return false
	}
	for o := s.Object(strictjson.LearntKinds); s.Member(&o); s.Skip() {
		if o.Field == fieldEvents {
			return true
		}
	}
	return s.Fault == "" && s.Peek() == '{'
}
