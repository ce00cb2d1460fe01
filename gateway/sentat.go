package gateway

import (
	"bytes"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/internal/event"
)

const (
	headerSentAt = "X-Sent-At"
	querySentAt  = "sent_at"
)

// sentAt is when the client sent the request by its own clock: RFC 3339 or Unix milliseconds, in X-Sent-At or else in
// ?sent_at=; a bulk may also carry it in its body, which counts last. The first that is understood is taken. What is not
// understood is as good as absent: an event is worth more than its correction. Zero: the client did not say.
func sentAt(ctx *fasthttp.RequestCtx) time.Time {
	if v := ctx.Request.Header.Peek(headerSentAt); len(v) > 0 {
		if t, understood := event.ParseTimestamp(v).Time(); understood {
			return t
		}
	}
	if len(ctx.URI().QueryString()) == 0 {
		return time.Time{}
	}
	if v := ctx.QueryArgs().Peek(querySentAt); len(v) > 0 {
		if t, understood := event.ParseTimestamp(withPlus(v)).Time(); understood {
			return t
		}
	}
	return time.Time{}
}

// withPlus mends an offset east of Greenwich in a query: a plus that is not percent-encoded means a space there.
func withPlus(v []byte) []byte {
	const offset = len("+01:00")
	if at := len(v) - offset; at > 0 && v[at] == ' ' {
		v = bytes.Clone(v)
		v[at] = '+'
	}
	return v
}
