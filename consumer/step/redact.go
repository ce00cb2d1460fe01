package step

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// redacted stands for what was taken out.
const redacted = "[redacted]"

// redaction takes secrets out of events: everything under certain names, and what looks like a secret in any text.
//
// What is taken out is replaced by something of the same type, so that the event stays valid: a string under a redacted name
// becomes "[redacted]", a number 0, true becomes false. Within other strings only what looks like a secret is replaced. The
// event's own event_id, timestamp and level are never touched: they are its identity and its place.
type redaction struct {
	names    map[string]bool // in lower case
	patterns []pattern
}

// newRedaction returns nil where there is nothing to redact.
func newRedaction(names, patterns []string) *redaction {
	if len(names)+len(patterns) == 0 {
		return nil
	}
	r := &redaction{names: map[string]bool{}}
	for _, name := range names {
		r.names[strings.ToLower(name)] = true
	}
	for _, p := range secretPatterns {
		if slices.Contains(patterns, p.name) {
			r.patterns = append(r.patterns, p)
		}
	}
	return r
}

// neverRedacted are the event's own fields that stay as they are.
var neverRedacted = []string{"event_id", "timestamp", "level"}

func (r *redaction) apply(in *Input) bool {
	if edits := r.find(in.JSON); len(edits) > 0 {
		in.Replace(func(dst, event []byte) []byte { return splice(dst, event, edits) })
	}
	return true
}

// edit replaces event[from:to].
type edit struct {
	from, to int
	with     []byte
}

func splice(dst, event []byte, edits []edit) []byte {
	at := 0
	for _, e := range edits {
		dst = append(dst, event[at:e.from]...)
		dst = append(dst, e.with...)
		at = e.to
	}
	return append(dst, event[at:]...)
}

// find lists what is to be replaced, in order. The event is valid JSON, so that the decoder has nothing to object to.
func (r *redaction) find(event []byte) []edit {
	var edits []edit
	// The event was checked already, by a stricter reader; a lone surrogate, which that one allows, is not UTF-8 to this one.
	dec := jsontext.NewDecoder(bytes.NewBuffer(event), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	under := 0 // the depth at which a redacted name's value began; 0: not under one
	for {
		kind := dec.PeekKind()
		depth := dec.StackDepth()
		container, length := dec.StackIndex(depth)
		isName := container == '{' && length%2 == 0
		if under > 0 && (depth < under || depth == under && isName) {
			under = 0
		}
		if kind == '{' || kind == '[' || kind == '}' || kind == ']' {
			if _, err := dec.ReadToken(); err != nil {
				return edits
			}
			continue
		}
		value, err := dec.ReadValue()
		if err != nil { // the end
			return edits
		}
		to := int(dec.InputOffset())
		if isName {
			if depth == 1 && isOwn(value) {
				if !skip(dec) {
					return edits
				}
				continue
			}
			if under == 0 && r.redacts(value) {
				under = depth
			}
			continue
		}
		if with := r.replacement(value, under > 0); with != nil {
			edits = append(edits, edit{from: to - len(value), to: to, with: with})
		}
	}
}

// skip moves over the value of the name just read.
func skip(dec *jsontext.Decoder) bool { return dec.SkipValue() == nil }

// isOwn says whether a name, as JSON, is of a field that stays.
func isOwn(name jsontext.Value) bool {
	text, ok := unquoted(name)
	return ok && slices.Contains(neverRedacted, text)
}

func (r *redaction) redacts(name jsontext.Value) bool {
	if len(r.names) == 0 {
		return false
	}
	text, ok := unquoted(name)
	return ok && r.names[strings.ToLower(text)]
}

func unquoted(value jsontext.Value) (string, bool) {
	if len(value) >= 2 && bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1]), true
	}
	text, err := jsontext.AppendUnquote(nil, value)
	return string(text), err == nil || len(text) > 0
}

// replacement is what stands for a scalar from now on, or nil.
func (r *redaction) replacement(value jsontext.Value, whole bool) []byte {
	switch kind := value.Kind(); {
	case whole && kind == '"':
		return []byte(`"` + redacted + `"`)
	case whole && kind == '0':
		return []byte("0")
	case whole && kind == 't':
		return []byte("false")
	case kind != '"' || whole || len(r.patterns) == 0:
		return nil
	}
	text, ok := unquoted(value)
	if !ok {
		return nil
	}
	clean := text
	for _, p := range r.patterns {
		clean = p.replace(clean)
	}
	if clean == text {
		return nil
	}
	quoted, err := jsontext.AppendQuote(nil, strings.ToValidUTF8(clean, "\uFFFD"))
	if err != nil {
		return []byte(`"` + redacted + `"`)
	}
	return quoted
}
