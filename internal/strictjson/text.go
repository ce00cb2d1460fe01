package strictjson

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// Text is a string in a JSON text. It aliases the text and is unescaped only when it is read. The zero Text is the
// empty string.
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

// IsGiven reports whether the text had a string here, perhaps an empty one. The zero Text is not given.
func (t Text) IsGiven() bool { return t.raw != nil }

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

// Verbatim returns the string's bytes without a copy. It returns false if the string must be unescaped or repaired; use
// AppendTo then.
func (t Text) Verbatim() ([]byte, bool) { return t.raw, t.form == verbatim }

// Verbatim makes a Text of bytes that stand for themselves.
func Verbatim(raw []byte) Text { return Text{raw: raw} }

// Unrepaired makes a Text of a JSON value in which lone surrogate escapes are still to be repaired.
func Unrepaired(raw []byte) Text { return Text{raw: raw, form: faultJSON} }

// String returns a copy of the string.
func (t Text) String() string {
	if t.form == verbatim {
		return string(t.raw)
	}
	return string(t.AppendTo(make([]byte, 0, len(t.raw))))
}

// IsBlank reports whether the string consists of Unicode white space only.
func (t Text) IsBlank() bool {
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

// Equal reports whether two strings are equal after unescaping.
func (t Text) Equal(u Text) bool {
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

// Small returns a short string without allocating. It unescapes into buf where it has to, and returns false if the
// unescaped string might not fit.
func (t Text) Small(buf []byte) ([]byte, bool) {
	if t.form == verbatim {
		return t.raw, true
	}
	if len(t.raw) > EscapeLen*cap(buf) {
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
