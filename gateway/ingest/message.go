package ingest

import (
	"errors"
	"io"

	"github.com/valyala/fasthttp"

	"sluice/gateway/body"
)

// ReadMessage reads a message that is a body without a request of its own, as on a WebSocket: at most as large as a bulk,
// and within the memory that all bodies share. After a problem the message is nil, and r may have more bytes. The error
// is r's own. The caller gives the message to IngestMessage.
func (in *Ingester) ReadMessage(r io.Reader) (*body.Buffer, *Problem, error) {
	message := body.GetBuffer()
	err := in.bulkLimit.reader.ReadAll(r, message)
	if err == nil {
		return message, nil, nil
	}
	message.Release()
	if errors.Is(err, body.ErrNoRoom) || errors.Is(err, body.ErrTooLarge) {
		p := in.bulkLimit.problem(err)
		return nil, p, nil
	}
	return nil, nil, err
}

// IngestMessage answers a message as Ingest answers a request. The headers of ctx count, its body does not. A message of
// which ReadMessage had a problem is refused for that. IngestMessage releases the message.
func (in *Ingester) IngestMessage(ctx *fasthttp.RequestCtx, proto *Protocol, message *body.Buffer, p *Problem) {
	s := in.begin(ctx, proto)
	s.body, s.unread = message, p
	if in.traces.tracer != nil {
		s.spans.request = in.traces.begin(ctx, traceparent(ctx), proto.Name, true)
	}
	if p := s.process(); p != nil {
		s.refuse(p)
	}
	s.end()
}
