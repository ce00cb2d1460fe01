package protocol

import (
	"errors"
	"mime"
	"strings"
	"sync"

	"github.com/valyala/fasthttp"

	"sluice/gateway/ingest"
	"sluice/internal/event"
	"sluice/internal/format"
	"sluice/internal/otlp"
)

// OTLPLogs is POST /v1/logs: the logs of OpenTelemetry's SDKs and Collector, in protobuf or JSON (OTLP 1.11). Each log
// record is an event: the record as JSON with its resource and its scope.
//
// A client sends a whole request again, and only after 429, 502, 503 and 504. The ids of the events are made of the
// request's bytes, so what was kept the first time is merged with what comes again.
var OTLPLogs = &ingest.Protocol{
	Name: format.OTLP, Format: format.OTLP, Bulk: true, DerivesIDs: true, ResendsWhole: true, ReportsPart: true,
	Key: ingest.FindKey, Form: otlpForm, Split: splitOTLP, Answer: answerOTLP, Refuse: refuseOTLP,
}

const (
	typeProtobuf = "application/x-protobuf"
	typeJSON     = "application/json"
)

// otlpForm takes protobuf and JSON. A missing Content-Type is JSON.
func otlpForm(ctx *fasthttp.RequestCtx) (event.Form, *ingest.Problem) {
	if isProtobuf(ctx) {
		return event.FormJSON, nil
	}
	if form, p := ingest.BodyForm(ctx); p == nil && form == event.FormJSON {
		return form, nil
	}
	return event.FormJSON, ingest.Refuse(ingest.KindUnsupportedMediaType,
		"The content type is not supported: use application/x-protobuf, or application/json in UTF-8.")
}

// isProtobuf reports whether the request is in protobuf.
func isProtobuf(ctx *fasthttp.RequestCtx) bool {
	header := string(ctx.Request.Header.ContentType())
	if header == typeProtobuf {
		return true
	}
	media, _, err := mime.ParseMediaType(header)
	return err == nil && strings.EqualFold(media, typeProtobuf)
}

// otlpSplitters hold the memory that a request needs only while it is split.
var otlpSplitters = sync.Pool{New: func() any { return newOTLPSplitter() }}

type otlpSplitter struct {
	protobuf otlp.Decoder
	json     otlpJSON
	decoder  event.Decoder
	event    event.Event
	none     event.Event // an event without an id
}

func newOTLPSplitter() *otlpSplitter {
	sp := &otlpSplitter{decoder: event.Decoder{Formats: format.All()}}
	sp.json.scan.Fields = otlpJSONFields
	return sp
}

// splitOTLP validates the log records of the body.
func splitOTLP(s *ingest.Submission) *ingest.Problem {
	sp := otlpSplitters.Get().(*otlpSplitter)
	defer otlpSplitters.Put(sp)
	var p *ingest.Problem
	if isProtobuf(s.Ctx) {
		p = sp.splitProtobuf(s)
	} else {
		p = sp.splitJSON(s)
	}
	if p != nil {
		return p
	}
	return s.ReserveFramed()
}

// splitProtobuf makes JSON of the records of a body in protobuf. The JSON needs no validation: FuzzOTLP shows that the
// reader takes whatever the decoder makes.
func (sp *otlpSplitter) splitProtobuf(s *ingest.Submission) *ingest.Problem {
	d := &sp.protobuf
	d.MostBytes, d.MostRecords = s.MaxEventBytes(), event.MaxBulkEvents
	defer d.Release()
	made := s.Made()
	if err := d.Decode(s.Body(), made); errors.Is(err, otlp.ErrMalformed) {
		return ingest.Refuse(ingest.KindMalformed, "The body is not an ExportLogsServiceRequest in protobuf.")
	} else if err != nil {
		return s.MadeProblem(err)
	}
	add := otlpAdding{s: s, written: made.Bytes(), left: s.MaxFramedBytes()}
	for i := range d.Records {
		r := &d.Records[i]
		if r.Fault != 0 {
			s.Reject(otlpFault(s, r.Fault))
			continue
		}
		raw := r.Log.Of(add.written)
		if p := add.frame(r.Resource, r.Scope, raw); p != nil {
			s.Reject(p)
			continue
		}
		s.AcceptFramed(add.number, raw, &sp.none)
	}
	add.rest(d.Rest)
	return nil
}

// splitJSON finds the records of a body in JSON and decodes each as the consumer will.
func (sp *otlpSplitter) splitJSON(s *ingest.Submission) *ingest.Problem {
	j := &sp.json
	defer j.release()
	made := s.Made()
	if p, err := j.split(s.Body(), made); p != nil {
		return p
	} else if err != nil {
		return s.MadeProblem(err)
	}
	add := otlpAdding{s: s, written: made.Bytes(), left: s.MaxFramedBytes()}
	sp.decoder.MaxBytes = s.MaxEventBytes()
	for _, r := range j.records {
		if p := add.frame(r.resource, r.scope, r.raw); p != nil {
			s.Reject(p)
			continue
		}
		if err := sp.decoder.DecodeAs(format.OTLP, s.Join(add.number, r.raw), &sp.event); err != nil {
			s.Reject(ingest.FromDecoder(err))
			continue
		}
		s.AcceptFramed(add.number, r.raw, &sp.event)
	}
	add.rest(j.rest)
	return nil
}

// otlpAdding adds records to a submission.
type otlpAdding struct {
	s       *ingest.Submission
	written []byte // what the spans point into
	left    int    // bytes that more items may have together

	framed          bool
	resource, scope otlp.Span
	number          int // of the frame of resource and scope
}

// frame makes the frame of a resource and a scope, unless it is the last one. It refuses a record that is too large.
func (a *otlpAdding) frame(resource, scope otlp.Span, raw []byte) *ingest.Problem {
	if !a.framed || resource != a.resource || scope != a.scope {
		a.resource, a.scope, a.framed = resource, scope, true
		a.number = a.s.Frame(resource.Of(a.written), scope.Of(a.written), otlp.After)
	}
	size := a.s.FramedLen(a.number, raw)
	switch {
	case size > a.s.MaxEventBytes():
		return otlpFault(a.s, otlp.TooLarge)
	case size > a.left:
		return ingest.OverLimit(ingest.KindTooLarge,
			"The log records, each with a copy of its resource and its scope, are together larger than",
			limitRequestBytes, int64(a.s.MaxFramedBytes()), "bytes")
	}
	a.left -= size
	return nil
}

// limitRequestBytes is the name of the limit of all items of a request together.
const limitRequestBytes = "max_request_bytes"

// rest refuses the records behind the last that was read.
func (a *otlpAdding) rest(records int) {
	if records > 0 {
		a.s.RejectRest(ingest.OverLimit(ingest.KindTooLarge, "The request has more log records than",
			event.LimitBulkEvents, event.MaxBulkEvents, "events"), records)
	}
}

// otlpFault refuses a record of which no item can be made.
func otlpFault(s *ingest.Submission, fault otlp.Fault) *ingest.Problem {
	if fault == otlp.TooDeep {
		return ingest.Refuse(ingest.KindMalformed, "A log record nests too deeply.")
	}
	return ingest.OverLimit(ingest.KindTooLarge, "A log record, with its resource and its scope, is larger than",
		ingest.LimitEventBytes, int64(s.MaxEventBytes()), "bytes")
}
