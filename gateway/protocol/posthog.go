package protocol

import (
	"bytes"
	"encoding/base64"

	"github.com/valyala/fasthttp"

	"sluice/gateway/ingest"
	"sluice/internal/event"
	"sluice/internal/format"
	"sluice/internal/strictjson"
)

// PostHog is the protocol of PostHog's clients. The key is in the body; a retry may have a fresh sent_at.
var PostHog = &ingest.Protocol{
	Name: format.PostHog, Format: format.PostHog, Bulk: true, DerivesIDs: true, ResendsWhole: true,
	Key: ingest.FindKey, BodyKey: posthogBodyKey,
	Split: splitPostHog, Answer: answerPostHog, Refuse: refusePostHog,
}

var findPostHogKey = keyFinders(func(_ strictjson.Kind, name []byte) strictjson.Field {
	switch string(name) {
	case "api_key", "token", "$token":
		return keyHere
	case "properties":
		return keyWithin
	}
	return strictjson.NoField
})

// posthogBodyKey finds the key of a body, which may be a form.
func posthogBodyKey(prefix []byte) []byte {
	if bytes.HasPrefix(prefix, posthogForm) {
		prefix = posthogFormData(prefix)
	}
	return findPostHogKey(prefix)
}

// posthogForm is what the forms of older clients begin with.
var posthogForm = []byte("data=")

// posthogFormData returns the JSON in a form, which may be cut off: the member data, in base64 or as it is.
func posthogFormData(form []byte) []byte {
	var args fasthttp.Args
	args.ParseBytes(form)
	data := bytes.TrimSpace(bytes.ReplaceAll(args.Peek("data"), []byte(" "), []byte("+")))
	if len(data) > 0 && (data[0] == '{' || data[0] == '[') {
		return bytes.Clone(args.Peek("data"))
	}
	data = bytes.TrimRight(data, "=")
	out, err := base64.RawStdEncoding.AppendDecode(nil, data)
	if err != nil && len(data)%4 == 1 { // the end of a form that is cut off
		out, _ = base64.RawStdEncoding.AppendDecode(nil, data[:len(data)-1])
	}
	return out
}

func splitPostHog(s *ingest.Submission) *ingest.Problem {
	c := callsPool.Get().(*calls)
	defer c.release()
	body := s.Body()
	if bytes.HasPrefix(body, posthogForm) {
		if p := reserving(s)(2 * len(body)); p != nil { // the member, and what it encodes
			return p
		}
		body = posthogFormData(body)
	}
	if p := c.find(body); p != nil {
		return p
	}
	c.decode(s, format.PostHog)
	if at := s.Ctx.QueryArgs().Peek("_"); len(at) > 0 { // milliseconds, from browsers
		s.SentAt(event.ParseTimestamp(at))
	}
	return nil
}

func answerPostHog(s *ingest.Submission) *ingest.Problem {
	answerCalls(s, `{"status":1}`, refusePostHog)
	return nil
}

// posthogRefusal is the JSON of a refusal: PostHog's own member, and ours.
type posthogRefusal struct {
	Status int `json:"status"`
	ingest.ErrorBody
}

func refusePostHog(ctx *fasthttp.RequestCtx, p *ingest.Problem) {
	p.WriteHead(ctx)
	ingest.WriteJSON(ctx, posthogRefusal{
		ErrorBody: p.Body(string(ctx.Response.Header.Peek(ingest.HeaderRequestID))),
	})
}
