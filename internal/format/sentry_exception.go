package format

import (
	"sluice/internal/event"
	"sluice/internal/strictjson"
)

// exceptions reads an exception, a list of them, or an object with such a list. The last one counts: it was raised
// last, the ones before it are its causes.
func (r *sentryReader) exceptions(s *strictjson.Scanner, ev *event.Event) {
	switch s.Peek() {
	case '[':
		for a := s.Array(); s.Item(&a); {
			r.exceptions(s, ev)
		}
	case '{':
		r.exception(s, ev)
	default:
		s.Value()
	}
}

func (r *sentryReader) exception(s *strictjson.Scanner, ev *event.Event) {
	var x event.Exception
	r.frames = r.frames[:0]
	isList := false
	for o := s.Object(sentryKindException); s.Member(&o); {
		switch o.Field {
		case sentryType:
			x.Type = s.Scalar()
		case sentryValue:
			x.Value = s.Any()
		case sentryModule:
			x.Module = s.Scalar()
		case sentryStacktrace:
			r.frames = readSentryFrames(s, r.frames[:0])
		case sentryValues:
			isList = true
			r.exceptions(s, ev)
		default:
			s.Value()
		}
	}
	if !isList && (!x.Type.IsZero() || !x.Value.IsZero() || len(r.frames) > 0) {
		ev.Exception = x
		ev.Frames, r.frames = r.frames, ev.Frames[:0]
	}
}

// The ranks of stack traces outside an exception. The highest one counts, of several the first.
const (
	rankThread = 1 + iota
	rankCurrent
	rankCrashed
	rankOwn // of the event itself
)

// readThreads reads a thread, a list of them, or an object with such a list.
func (r *sentryReader) readThreads(s *strictjson.Scanner) {
	switch s.Peek() {
	case '[':
		for a := s.Array(); s.Item(&a); {
			r.readThreads(s)
		}
	case '{':
		r.thread(s)
	default:
		s.Value()
	}
}

func (r *sentryReader) thread(s *strictjson.Scanner) {
	rank := rankThread
	r.frames = r.frames[:0]
	isList := false
	for o := s.Object(sentryKindThread); s.Member(&o); {
		switch o.Field {
		case sentryStacktrace:
			r.frames = readSentryFrames(s, r.frames[:0])
		case sentryCrashed:
			if isTrue(s) {
				rank = rankCrashed
			}
		case sentryCurrent:
			if isTrue(s) {
				rank = max(rank, rankCurrent)
			}
		case sentryValues:
			isList = true
			r.readThreads(s)
		default:
			s.Value()
		}
	}
	if !isList {
		r.offer(rank)
	}
}

// ownStacktrace reads the stack trace of the event itself.
func (r *sentryReader) ownStacktrace(s *strictjson.Scanner) {
	r.frames = readSentryFrames(s, r.frames[:0])
	r.offer(rankOwn)
}

// offer takes the frames at hand, unless there are better ones.
func (r *sentryReader) offer(rank int) {
	if len(r.frames) > 0 && rank > r.threadRank {
		r.threadRank = rank
		r.threads, r.frames = r.frames, r.threads[:0]
	}
}

// readSentryFrames reads a stack trace: an object with frames, or the list itself. It appends at most event.MaxFrames.
func readSentryFrames(s *strictjson.Scanner, frames []event.Frame) []event.Frame {
	switch s.Peek() {
	case '{':
		for o := s.Object(sentryKindStacktrace); s.Member(&o); {
			if o.Field == sentryFrames && s.Peek() == '[' {
				frames = readSentryFrames(s, frames)
			} else {
				s.Value()
			}
		}
	case '[':
		for a := s.Array(); s.Item(&a); {
			if s.Peek() != '{' {
				s.Value()
			} else if f := readSentryFrame(s); len(frames) < event.MaxFrames {
				frames = append(frames, f)
			}
		}
	default:
		s.Value()
	}
	return frames
}

func readSentryFrame(s *strictjson.Scanner) (f event.Frame) {
	var path, module, raw event.Text
	for o := s.Object(sentryKindFrame); s.Member(&o); {
		switch o.Field {
		case sentryFilename:
			f.Filename = s.Scalar()
		case sentryAbsPath:
			path = s.Scalar()
		case sentryModule:
			module = s.Scalar()
		case sentryFunction:
			f.Function = s.Scalar()
		case sentryRawFunction:
			raw = s.Scalar()
		case sentryInApp:
			f.InApp = isTrue(s)
		default:
			s.Value()
		}
	}
	fill(&f.Filename, path)
	fill(&f.Filename, module)
	fill(&f.Function, raw)
	return f
}

// isTrue moves over a value and reports whether it is true.
func isTrue(s *strictjson.Scanner) bool {
	is := s.Peek() == 't'
	s.Value()
	return is
}
