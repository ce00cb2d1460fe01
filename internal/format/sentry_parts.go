package format

import (
	"sluice/internal/event"
	"sluice/internal/strictjson"
)

// readSentryMessage reads a message: a text, or an object with the formatted text and its template.
func readSentryMessage(s *strictjson.Scanner, formatted, message *event.Text) {
	if s.Peek() != '{' {
		*message = s.Scalar()
		return
	}
	for o := s.Object(sentryKindMessage); s.Member(&o); {
		switch o.Field {
		case sentryFormatted:
			*formatted = s.Scalar()
		case sentryMessage:
			*message = s.Scalar()
		default:
			s.Value()
		}
	}
}

// readSentryFingerprint reads a fingerprint: a list of texts, or one text.
func readSentryFingerprint(s *strictjson.Scanner, ev *event.Event) {
	add := func() {
		if part := s.Scalar(); part.IsGiven() && len(ev.Fingerprint) < event.MaxFingerprintParts {
			ev.Fingerprint = append(ev.Fingerprint, part)
		}
	}
	if s.Peek() != '[' {
		add()
		return
	}
	for a := s.Array(); s.Item(&a); {
		add()
	}
}

func readSentryUser(s *strictjson.Scanner, ev *event.Event) {
	if s.Peek() != '{' {
		s.Value()
		return
	}
	for o := s.Object(sentryKindUser); s.Member(&o); {
		switch o.Field {
		case sentryID:
			ev.UserID = s.Scalar()
		case sentryEmail:
			ev.UserEmail = s.Scalar()
		default:
			s.Value()
		}
	}
}

func readSentrySDK(s *strictjson.Scanner, ev *event.Event) {
	if s.Peek() != '{' {
		s.Value()
		return
	}
	for o := s.Object(sentryKindSDK); s.Member(&o); {
		switch o.Field {
		case sentryName:
			ev.SDK.Name = s.Scalar()
		case sentryVersion:
			ev.SDK.Version = s.Scalar()
		default:
			s.Value()
		}
	}
}

// readSentryTags reads tags: an object, or a list of pairs.
func readSentryTags(s *strictjson.Scanner, ev *event.Event) {
	switch s.Peek() {
	case '{':
		for o := s.Object(sentryKindTags); s.Member(&o); {
			addTag(ev, s.Name(&o), s.Any())
		}
	case '[':
		for a := s.Array(); s.Item(&a); {
			key, value := readPair(s)
			addTag(ev, key, value)
		}
	default:
		s.Value()
	}
}

// readPair reads a tag of a list: [key, value], or an object with key and value.
func readPair(s *strictjson.Scanner) (key, value event.Text) {
	switch s.Peek() {
	case '[':
		n := 0
		for a := s.Array(); s.Item(&a); n++ {
			switch n {
			case 0:
				key = s.Scalar()
			case 1:
				value = s.Any()
			default:
				s.Value()
			}
		}
	case '{':
		for o := s.Object(sentryKindPair); s.Member(&o); {
			switch o.Field {
			case sentryKey:
				key = s.Scalar()
			case sentryValue:
				value = s.Any()
			default:
				s.Value()
			}
		}
	default:
		s.Value()
	}
	return key, value
}

// contexts reads the trace's id and the feedback of a user.
func (r *sentryReader) contexts(s *strictjson.Scanner, ev *event.Event) {
	if s.Peek() != '{' {
		s.Value()
		return
	}
	r.hasContexts = true
	for o := s.Object(sentryKindContexts); s.Member(&o); {
		switch {
		case o.Field == sentryTrace && s.Peek() == '{':
			for o := s.Object(sentryKindTrace); s.Member(&o); {
				if o.Field == sentryTraceID {
					ev.TraceID = s.Scalar()
				} else {
					s.Value()
				}
			}
		case o.Field == sentryFeedback && s.Peek() == '{':
			r.readFeedback(s)
		default:
			s.Value()
		}
	}
}

func (r *sentryReader) readFeedback(s *strictjson.Scanner) {
	r.isFeedback = true
	for o := s.Object(sentryKindFeedback); s.Member(&o); {
		switch o.Field {
		case sentryMessage:
			r.feedback = s.Scalar()
		case sentryContactEmail:
			r.feedbackEmail = s.Scalar()
		default:
			s.Value()
		}
	}
}

// sentryAttributes are the columns that logs and spans have as attributes.
type sentryAttributes struct {
	userID, userEmail, release, environment, serverName, transaction, sdkName, sdkVersion event.Text
}

// read reads the attributes of a log or a span. Every attribute is a tag.
func (a *sentryAttributes) read(s *strictjson.Scanner, ev *event.Event) {
	if s.Peek() != '{' {
		s.Value()
		return
	}
	for o := s.Object(sentryKindAttributes); s.Member(&o); {
		name, field := s.Name(&o), o.Field
		value := readAttribute(s)
		addTag(ev, name, value)
		if column := a.column(field); column != nil {
			*column = value
		}
	}
}

// readAttribute reads the value of an attribute: {value, type}, or the value itself.
func readAttribute(s *strictjson.Scanner) event.Text {
	if s.Peek() != '{' {
		return s.Any()
	}
	start, repairs := s.Pos, len(s.Repairs)
	var value event.Text
	typed := false
	for o := s.Object(sentryKindAttribute); s.Member(&o); {
		if o.Field == sentryValue {
			typed, value = true, s.Any()
		} else {
			s.Value()
		}
	}
	raw := s.Data[start:s.Pos:s.Pos]
	switch {
	case typed:
		return value
	case len(s.Repairs) > repairs:
		return strictjson.Unrepaired(raw)
	}
	return strictjson.Verbatim(raw)
}

func (a *sentryAttributes) column(field strictjson.Field) *event.Text {
	switch field {
	case sentryUserID:
		return &a.userID
	case sentryUserEmail:
		return &a.userEmail
	case sentryRelease:
		return &a.release
	case sentryEnvironment:
		return &a.environment
	case sentryServerName:
		return &a.serverName
	case sentryTransaction:
		return &a.transaction
	case sentrySDKName:
		return &a.sdkName
	case sentrySDKVersion:
		return &a.sdkVersion
	}
	return nil
}

// fill sets the columns that the item itself leaves absent.
func (a *sentryAttributes) fill(ev *event.Event) {
	fill(&ev.UserID, a.userID)
	fill(&ev.UserEmail, a.userEmail)
	fill(&ev.Release, a.release)
	fill(&ev.Environment, a.environment)
	fill(&ev.ServerName, a.serverName)
	fill(&ev.Transaction, a.transaction)
	fill(&ev.SDK.Name, a.sdkName)
	fill(&ev.SDK.Version, a.sdkVersion)
}
