package gateway

import (
	"mime"
	"strings"

	"github.com/valyala/fasthttp"

	"sluice/internal/event"
)

// bodyForm says how the body of a bulk is written: by its Content-Type, of which none is JSON.
func bodyForm(ctx *fasthttp.RequestCtx) (event.Form, *problem) {
	header := ctx.Request.Header.ContentType()
	switch string(header) {
	case "", "application/json": // what nearly all send, without the work below
		return event.FormJSON, nil
	}
	media, params, err := mime.ParseMediaType(string(header))
	if charset, ok := params["charset"]; err == nil && (!ok || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")) {
		switch media {
		case "application/json":
			return event.FormJSON, nil
		case "application/x-ndjson":
			return event.FormNDJSON, nil
		case "text/plain":
			return event.FormAuto, nil
		}
	}
	return event.FormJSON, refuse(kindUnsupportedMediaType,
		"The content type is not supported: use application/json, application/x-ndjson or text/plain, in UTF-8.")
}
