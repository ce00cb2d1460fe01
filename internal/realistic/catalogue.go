package realistic

import (
	"encoding/json"
	"fmt"
	"strings"
)

// kind is one error of a service: what becomes one issue. Its texts only vary in numbers, which do not count for the
// fingerprint.
type kind struct {
	typ    string
	value  template
	module string
	level  string // "" for an error whose SDK sends no level
	frames []frame
}

// frame is a stack frame, rendered but for its line.
type frame struct {
	head, tail string // JSON around the line number
	line       int
	app        bool
}

// template is a text with places for numbers. Its parts are rendered twice: as JSON and as plain text.
type template []part

type part struct {
	sent, stored string // the text before the place, as JSON and as it is
	place        byte   // n, u, x, d, or 0 for the end of the text
}

// compile reads a template: %n is a number, %u a UUID, %x an address, %d a duration in milliseconds.
func compile(text string) (t template) {
	for {
		at := strings.IndexByte(text, '%')
		if at < 0 || at+1 == len(text) {
			return append(t, part{sent: escape(text), stored: text})
		}
		t = append(t, part{sent: escape(text[:at]), stored: text[:at], place: text[at+1]})
		text = text[at+2:]
	}
}

// escape renders a text for use between the quotes of a JSON string.
func escape(text string) string {
	quoted, _ := json.Marshal(text) // a string cannot fail
	return string(quoted[1 : len(quoted)-1])
}

// language is how a platform's errors look.
type language struct {
	name string
	// errors are types and values: a %w in a value stands for one of the nouns.
	errors [][2]string
	// fatal is how many of the errors, from the first, end the program.
	fatal int
	nouns []string
	verbs []string
	// inApp and library render frames.
	inApp   func(noun, verb string, n int) frameText
	library []frameText
	module  func(noun string) string
}

// frameText is a frame before it is rendered.
type frameText struct {
	Filename string `json:"filename"`
	Function string `json:"function"`
	Module   string `json:"module,omitempty"`
	AbsPath  string `json:"abs_path,omitempty"`
	Context  string `json:"context_line,omitempty"`
	column   bool
}

// kindsOfLanguage is how many kinds of errors a service has.
const kindsOfLanguage = 64

// kinds makes a service's errors, the same at any time.
func (l language) kinds() []kind {
	r := prng(mix(uint64(len(l.name)) + uint64(l.name[0])<<8 + uint64(l.name[len(l.name)-1])<<16))
	kinds := make([]kind, kindsOfLanguage)
	for i := range kinds {
		e := l.errors[(i*7+i/len(l.errors))%len(l.errors)]
		noun, verb := l.nouns[(i*5+i/3)%len(l.nouns)], l.verbs[(i*3+i/7)%len(l.verbs)]
		k := kind{typ: e[0], value: compile(strings.ReplaceAll(e[1], "%w", noun)), module: l.module(noun)}
		if i%len(l.errors) < l.fatal {
			k.level = "fatal"
		}
		k.frames = l.trace(noun, verb, &r)
		kinds[i] = k
	}
	return kinds
}

// trace makes a stack trace, the outermost call first: library, application, and at times a library again.
func (l language) trace(noun, verb string, r *prng) (frames []frame) {
	outer := r.below(len(l.library) - 4)
	for _, f := range l.library[outer : outer+2+r.below(2)] {
		frames = append(frames, f.render(r, false))
	}
	for range 1 + r.below(3) {
		frames = append(frames, l.inApp(of(r, l.nouns), of(r, l.verbs), r.below(9)).render(r, true))
	}
	frames = append(frames, l.inApp(noun, verb, r.below(9)).render(r, true))
	for range r.below(2) {
		frames = append(frames, of(r, l.library).render(r, false))
	}
	return frames
}

func (f frameText) render(r *prng, app bool) frame {
	text, _ := json.Marshal(f) // strings cannot fail
	tail := fmt.Sprintf(`,"in_app":%t}`, app)
	if f.column {
		tail = fmt.Sprintf(`,"colno":%d%s`, 2+r.below(70), tail)
	}
	return frame{head: string(text[:len(text)-1]) + `,"lineno":`, tail: tail, line: 8 + r.below(420), app: app}
}
