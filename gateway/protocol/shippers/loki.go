package shippers

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"sluice/gateway/ingest"
	"sluice/internal/format"
	"sluice/internal/strictjson"
)

// LokiPush is Loki's push API: streams of entries, in JSON or in protobuf.
var LokiPush = &ingest.Protocol{
	Name: "loki", Format: format.Loki, Bulk: true, DerivesIDs: true, ResendsWhole: true, Key: ingest.FindKey,
	Split: splitLoki, Answer: answerLoki, Refuse: ingest.WriteProblem,
}

// The fields of a push.
const (
	fieldStreams = fieldElasticEnd + iota
	fieldStream
	fieldValues
)

func lokiFields(kind strictjson.Kind, name []byte) strictjson.Field {
	switch {
	case kind == kindPush && string(name) == "streams":
		return fieldStreams
	case kind == kindStream && string(name) == "stream":
		return fieldStream
	case kind == kindStream && string(name) == "values":
		return fieldValues
	}
	return strictjson.NoField
}

// splitLoki makes an event of every entry, with the labels of its stream. Clients send protobuf unless they are told
// not to, and not all of them name it.
func splitLoki(s *ingest.Submission) *ingest.Problem {
	sh := beginShipped(s)
	defer sh.end()
	var p *ingest.Problem
	if media := s.Ctx.Request.Header.ContentType(); bytes.Contains(media, []byte("json")) ||
		!bytes.Contains(media, []byte("protobuf")) && bytes.HasPrefix(bytes.TrimSpace(s.Body()), []byte("{")) {
		p = sh.push(s)
	} else {
		p = sh.pushProtobuf(s)
	}
	if p == nil && len(s.Items()) == 0 {
		p = errLokiEmpty
	}
	return p
}

var (
	errLokiEmpty = ingest.Refuse(ingest.KindEmpty, "There are no entries in the push.")
	errLokiForm  = ingest.Refuse(ingest.KindMalformed,
		"A push must be an object with streams, each with an object stream and an array values.")
	errLokiEntry = ingest.Refuse(ingest.KindInvalidEvent,
		"An entry must be an array of a time in nanoseconds, a line and, if need be, an object.")
)

// push reads a push in JSON. Only brackets and quotes count until each entry is decoded on its own.
func (sh *shipped) push(s *ingest.Submission) *ingest.Problem {
	sc := &sh.scan
	sc.Reset(s.Body(), sc.Repairs[:0])
	if sc.Peek() != '{' {
		return errLokiForm
	}
	for o := sc.Object(kindPush); sc.Member(&o); {
		if o.Field != fieldStreams {
			sc.Skip()
			continue
		}
		if sc.Peek() != '[' {
			return errLokiForm
		}
		for a := sc.Array(); sc.Item(&a); {
			if sc.Peek() != '{' {
				return errLokiForm
			}
			if p := sh.pushStream(s); p != nil {
				return p
			}
		}
	}
	sc.End()
	if sc.Fault != "" {
		return ingest.Refuse(ingest.KindMalformed, "The JSON of the push is malformed: "+sc.Fault+".")
	}
	return nil
}

// pushStream reads one stream of a push. Its labels may come behind its entries.
func (sh *shipped) pushStream(s *ingest.Submission) *ingest.Problem {
	sc := &sh.scan
	labels, values := []byte("{}"), []byte(nil)
	for o := sc.Object(kindStream); sc.Member(&o); {
		sc.Peek()
		start := sc.Pos
		sc.Skip()
		switch part := sc.Data[start:sc.Pos:sc.Pos]; o.Field {
		case fieldStream:
			labels = part
		case fieldValues:
			values = part
		}
	}
	if sc.Fault != "" {
		return nil // push says so
	}
	if values == nil {
		return nil
	}
	in := &sh.inner
	in.Reset(values, in.Repairs[:0])
	if in.Peek() != '[' {
		return errLokiForm
	}
	for a := in.Array(); in.Item(&a); {
		if p := full(s); p != nil {
			return p
		}
		parts, ok := entryParts(in)
		if in.Fault != "" {
			return ingest.Refuse(ingest.KindMalformed, "The JSON of the push is malformed: "+in.Fault+".")
		}
		if !ok {
			s.Reject(errLokiEntry)
			continue
		}
		if p := sh.pushEntry(s, labels, parts); p != nil {
			return p
		}
	}
	return nil
}

// entryParts moves over an entry and returns its parts. ok is false if it is no entry.
func entryParts(in *strictjson.Scanner) (parts [3][]byte, ok bool) {
	if in.Peek() != '[' {
		in.Skip()
		return parts, false
	}
	n := 0
	for a := in.Array(); in.Item(&a); n++ {
		in.Peek()
		start := in.Pos
		in.Skip()
		if n < len(parts) {
			parts[n] = in.Data[start:in.Pos:in.Pos]
		}
	}
	return parts, n == 2 || n == 3
}

// pushEntry composes an event of an entry's parts, which are JSON: the time, the line and the metadata, if there are
// any.
func (sh *shipped) pushEntry(s *ingest.Submission, labels []byte, parts [3][]byte) *ingest.Problem {
	const stream, ts, line, metadata, end = `{"stream":`, `,"ts":`, `,"line":`, `,"metadata":`, `}`
	size := len(stream) + len(labels) + len(ts) + len(parts[0]) + len(line) + len(parts[1]) +
		len(metadata) + len(parts[2]) + len(end)
	if p := sh.compose(s, size); p != nil {
		return p
	}
	raw := append(append(make([]byte, 0, size), stream...), labels...)
	raw = append(append(raw, ts...), parts[0]...)
	raw = append(append(raw, line...), parts[1]...)
	if len(parts[2]) > 0 {
		raw = append(append(raw, metadata...), parts[2]...)
	}
	sh.take(s, format.Loki, append(raw, end...))
	return nil
}

// answerLoki answers 204 if every entry was kept. If one may be sent again the client sends all of them, and those that
// were kept already are the same events. Otherwise the refusal is that of the first invalid entry: the others were
// kept, and the client does not send them again.
func answerLoki(s *ingest.Submission) *ingest.Problem {
	worst, _ := count(s)
	if worst == nil {
		s.Ctx.SetStatusCode(fasthttp.StatusNoContent)
		s.RateLimitFields(0)
		return nil
	}
	worst.Write(s.Ctx)
	s.RateLimitFields(worst.Kind)
	return nil
}
