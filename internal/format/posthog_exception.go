package format

import (
	"sluice/internal/event"
	"sluice/internal/strictjson"
)

// posthogReadExceptions reads a list of exceptions. The first is the one that was reported; its causes follow.
func posthogReadExceptions(s *strictjson.Scanner, ev *event.Event) {
	if s.Peek() != '[' {
		s.Value()
		return
	}
	first := true
	for a := s.Array(); s.Item(&a); first = false {
		if first && s.Peek() == '{' {
			posthogReadException(s, ev)
		} else {
			s.Value()
		}
	}
}

func posthogReadException(s *strictjson.Scanner, ev *event.Event) {
	for o := s.Object(posthogException); s.Member(&o); {
		switch o.Field {
		case posthogType:
			ev.Exception.Type = s.Scalar()
		case posthogValue:
			ev.Exception.Value = s.Scalar()
		case posthogModule:
			ev.Exception.Module = s.Scalar()
		case posthogTraceOf:
			posthogReadTrace(s, ev)
		default:
			s.Value()
		}
	}
}

func posthogReadTrace(s *strictjson.Scanner, ev *event.Event) {
	if s.Peek() != '{' {
		s.Value()
		return
	}
	for o := s.Object(posthogTrace); s.Member(&o); {
		if o.Field != posthogFrames || s.Peek() != '[' {
			s.Value()
			continue
		}
		for a := s.Array(); s.Item(&a); {
			if s.Peek() != '{' {
				s.Value()
			} else if f := posthogReadFrame(s); len(ev.Frames) < event.MaxFrames {
				ev.Frames = append(ev.Frames, f)
			}
		}
	}
}

func posthogReadFrame(s *strictjson.Scanner) (f event.Frame) {
	var path, module event.Text
	for o := s.Object(posthogFrame); s.Member(&o); {
		switch o.Field {
		case posthogFilename:
			f.Filename = s.Scalar()
		case posthogAbsPath:
			path = s.Scalar()
		case posthogModule:
			module = s.Scalar()
		case posthogFunction:
			f.Function = s.Scalar()
		case posthogInApp:
			f.InApp = s.Peek() == 't'
			s.Value()
		default:
			s.Value()
		}
	}
	f.Filename = firstGiven(f.Filename, path, module)
	return f
}
