package event

import "bytes"

// scanner is one strict pass over a JSON text. It does not build values: it moves over them, checks them, and says
// where they are. The first fault sticks, moves the scanner to the end and so ends every loop over members and items;
// callers look at fault once, at the end.
type scanner struct {
	data  []byte
	pos   int
	depth int // open arrays and objects

	// fields says which field a member of an object is; nil: no object has a field that anybody knows.
	fields func(kind, []byte) field

	fault   string // what is wrong, as the end of a sentence; empty: nothing so far
	faultAt int    // byte offset of the fault

	keys    []key  // members' names of the open objects, outermost first
	names   []byte // names that had escapes, unescaped
	seen    []uint32
	trie    trie
	repairs []int // offsets of lone surrogate escapes; the caller's, who takes them back

	open []uint64 // skip's stack, a bit an open bracket
}

// maxDepth is how deep arrays and objects may nest; the outermost is the first level.
const maxDepth = 64

// keptCapacity is the longest slice, in items, that a scanner keeps from one text to the next.
const keptCapacityJSON = 4096

// emptied returns a slice for the next use, or nil if one unusual text made it too large to keep.
func emptiedJSON[T any](s []T) []T {
	if cap(s) > keptCapacityJSON {
		return nil
	}
	return s[:0]
}

// Faults are constants, so that no text of the client's can get into them.
const (
	faultCut       = "it ends too early"
	faultValue     = "a value was expected"
	faultName      = "a member's name in quotes was expected"
	faultColon     = "a colon was expected"
	faultComma     = "a comma or the end of the object or array was expected"
	faultTrailing  = "something follows the value"
	faultDepth     = "it is nested too deeply"
	faultDuplicate = "an object names the same member twice"
	faultControl   = "a string holds a raw control character"
	faultEscape    = "a string holds an unknown escape"
	faultUTF8      = "a string is not UTF-8"
	faultNumber    = "a number is not written as JSON wants it"
)

// reset begins a new text, which is shorter than 2 GiB.
func (s *scanner) reset(data []byte, repairs []int) {
	s.data, s.pos, s.depth = data, 0, 0
	s.fault, s.faultAt = "", 0
	s.keys, s.names, s.seen, s.repairs = emptiedJSON(s.keys), emptiedJSON(s.names), emptiedJSON(s.seen), repairs
	s.trie.reset()
}

// release lets go of the text and of memory that an unusual text needed.
func (s *scanner) release() {
	s.data = nil
	s.open = emptiedJSON(s.open)
}

// fail records a fault at the current position unless there was one already.
func (s *scanner) fail(fault string) {
	if s.fault == "" {
		if s.pos >= len(s.data) {
			fault = faultCut
		}
		s.fault, s.faultAt = fault, min(s.pos, len(s.data))
	}
	s.pos = len(s.data)
}

// peek skips white space and returns the byte after it, or 0 at the end, which begins nothing in JSON.
func (s *scanner) peek() byte {
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		if c > ' ' || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c
		}
		s.pos++
	}
	return 0
}

// end checks that nothing but white space is left.
func (s *scanner) end() {
	if s.peek(); s.pos < len(s.data) {
		s.fail(faultTrailing)
	}
}

// value moves over one value of any type.
func (s *scanner) value() {
	switch c := s.peek(); c {
	case '"':
		s.text()
	case '{':
		o := s.object(kindOther)
		for s.member(&o) {
			s.value()
		}
	case '[':
		for a := s.array(); s.item(&a); {
			s.value()
		}
	case 't':
		s.literal("true")
	case 'f':
		s.literal("false")
	case 'n':
		s.literal("null")
	default:
		if c != '-' && !isDigitJSON(c) {
			s.fail(faultValue)
			return
		}
		s.number()
	}
}

// raw moves over one value and returns its bytes.
func (s *scanner) raw() []byte {
	s.peek()
	start := s.pos
	s.value()
	return s.data[start:s.pos:s.pos]
}

func (s *scanner) literal(word string) {
	if !bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
		s.fail(faultValue)
		return
	}
	s.pos += len(word)
}

// array is an array being read.
type array struct{ begun bool }

// array steps into the array at the current position.
func (s *scanner) array() array {
	s.enter()
	return array{}
}

// item moves to the next item and reports whether there is one; the caller moves over it.
func (s *scanner) item(a *array) bool {
	c := s.peek()
	if c == ']' {
		s.leave()
		return false
	}
	if a.begun {
		if c != ',' {
			s.fail(faultComma)
			return false
		}
		s.pos++ // a bracket behind a comma is no value
	}
	a.begun = true
	return s.fault == ""
}

func (s *scanner) enter() {
	s.depth++
	if s.depth > maxDepth {
		s.fail(faultDepth)
		return
	}
	s.pos++
}

func (s *scanner) leave() {
	s.depth--
	s.pos++
}
