package protocol

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"sluice/gateway/ingest"
	"sluice/internal/format"
	"sluice/internal/strictjson"
)

// Segment is the protocol of Segment's and RudderStack's clients. Its clients know success and failure only, and send a
// failed request again whole. A retry has a fresh sentAt; an item is recognised by its messageId.
var Segment = &ingest.Protocol{
	Name: format.Segment, Format: format.Segment, Bulk: true, DerivesIDs: true, ResendsWhole: true,
	Key: findSegmentKey, BodyKey: keyFinders(segmentKey),
	Split: splitSegment, Answer: answerSegment, Refuse: refuseSegment,
}

// findSegmentKey finds the key in a request's head. RudderStack's beacons have it in the query, as writeKey.
func findSegmentKey(ctx *fasthttp.RequestCtx) (ingest.Key, *ingest.Problem) {
	key, p := ingest.FindKey(ctx)
	if p == nil && !key.Given() && len(ctx.URI().QueryString()) > 0 {
		key = ingest.NewKey(ctx.QueryArgs().Peek("writeKey"))
	}
	return key, p
}

// segmentKey names the member of a body that is the key.
func segmentKey(kind strictjson.Kind, name []byte) strictjson.Field {
	if kind == keyBody && string(name) == "writeKey" {
		return keyHere
	}
	return strictjson.NoField
}

// splitSegment takes a batch or a single call on every path. The path names the type of a call that leaves it out.
func splitSegment(s *ingest.Submission) *ingest.Problem {
	c := callsPool.Get().(*calls)
	defer c.release()
	if p := c.find(s.Body()); p != nil {
		return p
	}
	if c.isBatch {
		if p := c.merge(s.MaxBodyBytes(), reserving(s)); p != nil {
			return p
		}
	} else if callType := segmentPathType(s.Ctx.URI().PathOriginal()); callType != "" && !c.hasType {
		if p := reserving(s)(len(s.Body())); p != nil {
			return p
		}
		c.giveType(callType)
	}
	c.decode(s, format.Segment)
	return nil
}

// reserving returns a function that counts memory for what a protocol makes of the body.
func reserving(s *ingest.Submission) func(bytes int) *ingest.Problem {
	return func(bytes int) *ingest.Problem { return s.MadeProblem(s.Made().Reserve(bytes)) }
}

// segmentPathType returns the type of the calls of a path, or "" for a path of batches.
func segmentPathType(path []byte) string {
	last := path[bytes.LastIndexByte(path, '/')+1:]
	for _, callType := range format.SegmentTypes {
		if string(last) == callType || string(last) == callType[:1] {
			return callType
		}
	}
	return ""
}

func answerSegment(s *ingest.Submission) *ingest.Problem {
	answerCalls(s, `{"success":true}`, refuseSegment)
	return nil
}

// segmentRefusal is the JSON of a refusal: Segment's own members, and ours.
type segmentRefusal struct {
	Success bool   `json:"success"`
	Message string `json:"message"`
	ingest.ErrorBody
}

func refuseSegment(ctx *fasthttp.RequestCtx, p *ingest.Problem) {
	p.WriteHead(ctx)
	b := p.Body(string(ctx.Response.Header.Peek(ingest.HeaderRequestID)))
	ingest.WriteJSON(ctx, segmentRefusal{Message: b.Error, ErrorBody: b})
}
