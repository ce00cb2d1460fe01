package event

import (
	"bytes"

	"github.com/cespare/xxhash/v2"
)

// partSeparator separates the parts of the client's own fingerprint: U+001F, the unit separator.
const partSeparator = 0x1F

// FingerprintHash returns the number that groups events into issues: xxHash64 (seed 0) of
//
//   - the client's fingerprint, its parts joined by U+001F, as given;
//   - else the in-app frames, or all frames if none is, as filename|function joined by semicolons, then a colon and
//     the normalised message;
//   - else the exception's type, a colon and its normalised value, if it has either;
//   - else "msg:" and the normalised message.
//
// In formats whose clients know {{ default }}, that part stands for what the other three lines give. A fingerprint
// whose parts are all empty counts as absent. The message is the whole message, not what its column
// keeps; an event without one has the exception's "type: value" instead. Line numbers never count.
//
// scratch is working memory. It is overwritten, grown where necessary, and returned for the next call, which then
// does not allocate.
func (ev *Event) FingerprintHash(scratch []byte) (uint64, []byte) {
	scratch = ev.appendGroup(scratch[:0])
	return xxhash.Sum64(scratch), scratch
}

func (ev *Event) appendGroup(dst []byte) []byte {
	if dst = ev.appendParts(dst); len(dst) > 0 {
		return dst
	}
	return ev.appendDefaultGroup(dst)
}

// appendDefaultGroup appends what groups an event whose client gave no fingerprint.
func (ev *Event) appendDefaultGroup(dst []byte) []byte {
	switch {
	case len(ev.Frames) > 0:
		dst = append(ev.appendFrames(dst), ':')
		return ev.appendNormalisedMessage(dst)
	case !ev.Exception.Type.IsZero() || !ev.Exception.Value.IsZero():
		dst = append(ev.Exception.Type.AppendTo(dst), ':')
		return appendNormalisedText(dst, &ev.Exception.Value)
	}
	return ev.appendNormalisedMessage(append(dst, "msg:"...))
}

func (ev *Event) appendParts(dst []byte) []byte {
	for i, part := range ev.Fingerprint {
		if i > 0 {
			dst = append(dst, partSeparator)
		}
		if ev.ExpandsDefault && isDefaultPart(part) {
			dst = ev.appendDefaultGroup(dst)
			continue
		}
		dst = part.AppendTo(dst)
	}
	return dst
}

// isDefaultPart reports whether a part of a fingerprint is {{ default }}, with or without the spaces.
func isDefaultPart(part Text) bool {
	var buf [len("{{ default }}")]byte
	text, ok := part.Small(buf[:])
	return ok && (string(text) == "{{ default }}" || string(text) == "{{default}}")
}

func (ev *Event) appendFrames(dst []byte) []byte {
	onlyInApp := false
	for i := range ev.Frames {
		onlyInApp = onlyInApp || ev.Frames[i].InApp
	}
	first := true
	for i := range ev.Frames {
		f := &ev.Frames[i]
		if onlyInApp && !f.InApp {
			continue
		}
		if !first {
			dst = append(dst, ';')
		}
		first = false
		dst = append(f.Filename.AppendTo(dst), '|')
		dst = f.Function.AppendTo(dst)
	}
	return dst
}

func (ev *Event) appendNormalisedMessage(dst []byte) []byte {
	if !ev.Message.IsBlank() {
		return appendNormalisedText(dst, &ev.Message)
	}
	start := len(dst)
	return normaliseTail(ev.appendWholeMessage(dst), start)
}

// appendNormalisedText appends the text's normalised form.
func appendNormalisedText(dst []byte, t *Text) []byte {
	if text, ok := t.Verbatim(); ok {
		return appendNormalised(dst, bytes.TrimSpace(text))
	}
	start := len(dst)
	return normaliseTail(t.AppendTo(dst), start)
}
