package event

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// Text is a string of an event: it aliases the event's bytes, and is unescaped only when it is read. The zero Text is
// the empty string.
type Text struct {
	raw  []byte
	form textForm
}

type textForm uint8

const (
	verbatim  textForm = iota // raw is the text
	escaped                   // raw is the inside of a JSON string with escapes
	faultJSON                 // raw is a JSON value in which a lone surrogate escape is still to be repaired
)

// IsZero reports whether the text is empty. An absent string and an empty one are the same.
func (t Text) IsZero() bool { return len(t.raw) == 0 }

// isGiven reports whether there is a string, be it empty, and not only the zero Text.
func (t Text) isGiven() bool { return t.raw != nil }

// Len returns the most bytes that AppendTo can append.
func (t Text) Len() int { return len(t.raw) }

// AppendTo appends the text in UTF-8 to dst and returns it. A lone surrogate escape becomes U+FFFD.
func (t Text) AppendTo(dst []byte) []byte {
	switch t.form {
	case escaped:
		return appendUnescaped(dst, t.raw)
	case faultJSON:
		return appendRepaired(dst, t.raw)
	}
	return append(dst, t.raw...)
}

// Verbatim returns the text as it stands in the event's bytes, or false if it must be unescaped or repaired: use AppendTo then.
func (t Text) Verbatim() ([]byte, bool) { return t.raw, t.form == verbatim }

// plainText is a text that stands for itself in raw.
func plainText(raw []byte) Text { return Text{raw: raw} }

// unrepairedText is a JSON value, in raw, in which a lone surrogate escape is still to be repaired.
func unrepairedText(raw []byte) Text { return Text{raw: raw, form: faultJSON} }

// String returns a copy of the text that stays good when the event's bytes change.
func (t Text) String() string {
	if t.form == verbatim {
		return string(t.raw)
	}
	return string(t.AppendTo(make([]byte, 0, len(t.raw))))
}

// isBlank reports whether nothing is left after trimming Unicode white space.
func (t Text) isBlank() bool {
	if len(t.raw) > 0 && t.raw[0] != '\\' && isPlain[t.raw[0]] && t.raw[0] != ' ' { // most texts
		return false
	}
	if t.form != escaped {
		return len(bytes.TrimSpace(t.raw)) == 0
	}
	for i := 0; i < len(t.raw); {
		r, n := nextRune(t.raw[i:])
		if !unicode.IsSpace(r) {
			return false
		}
		i += n
	}
	return true
}

// equal compares two texts after unescaping.
func (t Text) equal(u Text) bool {
	if t.form == u.form {
		if bytes.Equal(t.raw, u.raw) {
			return true
		}
		if t.form == verbatim {
			return false
		}
	}
	return t.String() == u.String()
}

// small reads a short text without allocating: it is put into buf if it has escapes. It reports false for a text that
// may not fit into buf after unescaping.
func (t Text) small(buf []byte) ([]byte, bool) {
	if t.form == verbatim {
		return t.raw, true
	}
	if len(t.raw) > escapeLen*cap(buf) {
		return nil, false
	}
	out := buf[:0]
	for i := 0; i < len(t.raw); {
		r, n := nextRune(t.raw[i:])
		if len(out)+utf8.RuneLen(r) > cap(buf) {
			return nil, false
		}
		out = utf8.AppendRune(out, r)
		i += n
	}
	return out, true
}
