package otlp

import "sluice/internal/strictjson"

// part is a piece of JSON in the making: that of a resource, a scope or a log record.
type part struct {
	json []byte
	most int // bytes that the piece may have

	fault     Fault
	malformed bool
}

// next reads the next field of a message and reports whether there is one. A fault ends every message.
func (p *part) next(b *[]byte, f *field) bool {
	if len(*b) == 0 || p.fault != 0 {
		return false
	}
	n := f.read(*b)
	if n < 0 {
		p.malformed, p.fault = true, TooLarge
		return false
	}
	*b = (*b)[n:]
	return true
}

// open begins an object at a level of nesting. The item is level 1.
func (p *part) open(level int) {
	p.json = append(p.json, '{')
	p.check(level)
}

func (p *part) openArray(level int) {
	p.json = append(p.json, '[')
	p.check(level)
}

func (p *part) check(level int) {
	switch {
	case p.fault != 0:
	case level > strictjson.MaxDepth:
		p.fault = TooDeep
	case len(p.json) > p.most:
		p.fault = TooLarge
	}
}

func (p *part) close() { p.json = append(p.json, '}') }

// name begins a member of the object that was opened last.
func (p *part) name(name string) {
	if p.json[len(p.json)-1] != '{' {
		p.json = append(p.json, ',')
	}
	p.json = append(p.json, '"')
	p.json = append(p.json, name...)
	p.json = append(p.json, '"', ':')
}

// fits reports whether b, which takes at least as many bytes in JSON, can be part of the piece.
func (p *part) fits(b []byte) bool {
	if len(b) > p.most && p.fault == 0 {
		p.fault = TooLarge
	}
	return p.fault == 0
}

func (p *part) string(s []byte) {
	if p.fits(s) {
		p.json = appendString(p.json, s)
	}
}

// text appends a member that is a string, unless it is empty.
func (p *part) text(name string, s []byte) {
	if len(s) > 0 {
		p.name(name)
		p.string(s)
	}
}

// id appends a member that is a trace or span id, unless it is empty.
func (p *part) id(name string, id []byte) {
	if len(id) > 0 && p.fits(id) {
		p.name(name)
		p.json = appendHex(p.json, id)
	}
}

// long appends a member that is a 64-bit number, unless it is zero.
func (p *part) long(name string, n uint64) {
	if n != 0 {
		p.name(name)
		p.json = appendQuoted(p.json, n)
	}
}
