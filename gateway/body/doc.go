// Package body reads the body of one HTTP request, decompressed, within limits.
//
// Reader.Read either fills a Buffer with the whole body or returns one of the package's errors, one for each reason. It
// guarantees, whatever a client sends: no more than the limit is written, before and after decompression; all bodies
// together stay within the budget of their Pool; a decoder reserves no more than a window of 8 MiB (zstd) or 16 MiB
// (brotli), in as many decoders as there are processors; and a client that stalls is cut off.
//
// It does not know what a body means or what a client is told: the gateway maps the errors to answers, and
// internal/event reads the events.
//
// To change which encodings are accepted, see encoding.go; how slow a client may be, progress.go; how much memory
// bodies may hold, budget.go and buffer.go.
package body
