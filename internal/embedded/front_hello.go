package embedded

import (
	"bufio"
	"encoding/binary"
	"strings"
)

// helloLimit bounds the first packet of a client, in bytes.
const helloLimit = 64 << 10

// hello is the login in a native client's first packet.
type hello struct{ database, user, password string }

// mayFail reports whether the engine may refuse the client. The configured user has no password. A user name with a
// space in front selects another way to log in.
func (h hello) mayFail() bool {
	if strings.HasPrefix(h.user, " ") {
		return false
	}
	return h.user != "" && h.user != "default" || h.password != "" || h.database != "" && h.database != "default"
}

// peekHello reads a client's first packet without consuming it: 0, client's name, three numbers of its version,
// database, user, password. It returns false for anything else, and for a packet larger than the buffer.
func peekHello(r *bufio.Reader) (hello, bool) {
	p := peeker{r: r, ok: true}
	if kind := p.number(); kind != 0 {
		return hello{}, false
	}
	_ = p.text() // the client's name
	for range 3 {
		_ = p.number()
	}
	h := hello{database: p.text(), user: p.text(), password: p.text()}
	return h, p.ok
}

// peeker reads buffered bytes without consuming them. After a failure ok is false, and further reads return zero
// values.
type peeker struct {
	r  *bufio.Reader
	at int
	ok bool
}

// take returns the next n bytes.
func (p *peeker) take(n int) []byte {
	if !p.ok || n > helloLimit-p.at {
		p.ok = false
		return nil
	}
	b, err := p.r.Peek(p.at + n)
	if err != nil {
		p.ok = false
		return nil
	}
	p.at += n
	return b[p.at-n:]
}

// number returns a varint.
func (p *peeker) number() (n uint64) {
	for shift := 0; shift < 64; shift += 7 {
		b := p.take(1)
		if b == nil {
			return 0
		}
		n |= uint64(b[0]&0x7f) << shift
		if b[0] < 0x80 {
			return n
		}
	}
	p.ok = false
	return 0
}

// text returns a string with a length prefix.
func (p *peeker) text() string {
	n := p.number()
	if n > helloLimit {
		p.ok = false
		return ""
	}
	return string(p.take(int(n)))
}

// exception is an error of a ClickHouse server.
type exception struct {
	code int32
	text string
}

// packet returns the exception in the native protocol: 2, code, name, text, stack trace, and 0 for no nested exception.
func (e exception) packet() []byte {
	out := []byte{2}
	out = binary.LittleEndian.AppendUint32(out, uint32(e.code))
	for _, s := range []string{"DB::Exception", e.text, ""} {
		out = binary.AppendUvarint(out, uint64(len(s)))
		out = append(out, s...)
	}
	return append(out, 0)
}
