package gateway

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sluice/internal/event"
)

const headerRequestID = "X-Request-Id"

// setRequestID echoes the client's id if it is one that cannot hurt a log, and makes one otherwise.
func setRequestID(ctx *fasthttp.RequestCtx) {
	id := ctx.Request.Header.Peek(headerRequestID)
	if validRequestID(id) {
		ctx.Response.Header.SetBytesV(headerRequestID, id)
		return
	}
	// Not for secrets: it need only be unlikely to occur twice.
	fresh := uuid.UUID{}
	binary.BigEndian.PutUint64(fresh[:8], rand.Uint64())
	binary.BigEndian.PutUint64(fresh[8:], rand.Uint64())
	fresh[6], fresh[8] = fresh[6]&0x0F|0x40, fresh[8]&0x3F|0x80 // version 4 (RFC 9562, section 5.4)
	var text [36]byte
	event.PutID(text[:], fresh)
	ctx.Response.Header.SetBytesV(headerRequestID, text[:])
}

func validRequestID(id []byte) bool {
	if len(id) < 1 || len(id) > 64 {
		return false
	}
	return !slices.ContainsFunc(id, func(c byte) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' && c != '-'
	})
}
