package strictjson

import "bytes"

// Scanner makes one strict pass over a JSON text. It moves over values, checks them and reports their positions.
//
// The first fault sticks. It moves the scanner to the end of the text and thereby ends every loop over members and
// items, so the caller looks at Fault once, when it is through.
//
// The zero Scanner is ready after Reset. A Scanner is reused from text to text; it is not safe for concurrent use.
type Scanner struct {
	// Data is the text. Values that the scanner returns alias it.
	Data []byte
	// Pos is the current position, a byte offset into Data. A caller that reads a value itself moves Pos to its end.
	Pos int

	// Fault says what is wrong, as the end of a sentence. It is empty while the scanner has found nothing wrong.
	Fault string
	// FaultAt is the byte offset of the fault.
	FaultAt int

	// Repairs are the offsets of the escapes that are half of a surrogate pair without its other half. The slice
	// belongs to the caller, who hands it to Reset and takes it back.
	Repairs []int

	// Fields returns the field that a member of an object is, given the object's kind and the member's name, unescaped.
	// It is not asked about objects of no kind. Without it no member is a field.
	Fields func(kind Kind, name []byte) Field

	depth int // open arrays and objects
	trie  trie

	keys  []key    // names of the members of the open objects, outermost first
	names []byte   // names that had escapes, unescaped
	seen  []uint32 // hash table of checkUniqueHashed
	open  []uint64 // stack of Skip, one bit for each open bracket
}

// MaxDepth is the number of levels that arrays and objects may nest. The outermost value is the first level.
const MaxDepth = 64

// keptCapacity is the longest slice, in items, that a scanner keeps from one text to the next.
const keptCapacity = 4096

// emptied returns a slice for the next use, or nil if one unusual text made it too large to keep.
func emptied[T any](s []T) []T {
	if cap(s) > keptCapacity {
		return nil
	}
	return s[:0]
}

// The faults. They are constants, so no byte of the text can get into them.
const (
	// FaultValue is the fault of a text that has something else where a value belongs.
	FaultValue = "a value was expected"

	faultCut       = "it ends too early"
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

// Reset begins a new text. data must be shorter than 2 GiB; repairs is empty and gives its memory to Repairs.
func (s *Scanner) Reset(data []byte, repairs []int) {
	s.Data, s.Pos, s.depth = data, 0, 0
	s.Fault, s.FaultAt = "", 0
	s.keys, s.names, s.seen, s.Repairs = emptied(s.keys), emptied(s.names), emptied(s.seen), repairs
	s.trie.reset()
}

// Release drops the text, and memory that only an unusual text needed.
func (s *Scanner) Release() {
	s.Data = nil
	s.open = emptied(s.open)
}

// Fail records a fault at the current position, unless an earlier one stands, and moves to the end of the text.
func (s *Scanner) Fail(fault string) {
	if s.Fault == "" {
		if s.Pos >= len(s.Data) {
			fault = faultCut
		}
		s.Fault, s.FaultAt = fault, min(s.Pos, len(s.Data))
	}
	s.Pos = len(s.Data)
}

// Peek skips white space and returns the byte at the position that it reaches. At the end of the text it returns 0,
// with which no JSON value begins.
func (s *Scanner) Peek() byte {
	for s.Pos < len(s.Data) {
		c := s.Data[s.Pos]
		if c > ' ' || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c
		}
		s.Pos++
	}
	return 0
}

// End checks that only white space is left.
func (s *Scanner) End() {
	if s.Peek(); s.Pos < len(s.Data) {
		s.Fail(faultTrailing)
	}
}

// Value moves over one value of any type.
func (s *Scanner) Value() {
	switch c := s.Peek(); c {
	case '"':
		s.Text()
	case '{':
		o := s.Object(kindOther)
		for s.Member(&o) {
			s.Value()
		}
	case '[':
		for a := s.Array(); s.Item(&a); {
			s.Value()
		}
	case 't':
		s.Literal("true")
	case 'f':
		s.Literal("false")
	case 'n':
		s.Literal("null")
	default:
		if c != '-' && !isDigit(c) {
			s.Fail(FaultValue)
			return
		}
		s.Number()
	}
}

// Raw moves over one value and returns its bytes.
func (s *Scanner) Raw() []byte {
	s.Peek()
	start := s.Pos
	s.Value()
	return s.Data[start:s.Pos:s.Pos]
}

// Scalar moves over one value of any type. It returns the content of a string and the JSON text of a number, true or
// false. Of null, an array or an object it returns the zero Text.
func (s *Scanner) Scalar() Text {
	switch c := s.Peek(); {
	case c == '"':
		return s.Text()
	case c == '{' || c == '[' || c == 'n':
		s.Value()
		return Text{}
	default:
		return Verbatim(s.Raw())
	}
}

// Any moves over one value of any type. It returns the content of a string and the JSON text of any other value; of
// null it returns the zero Text.
func (s *Scanner) Any() Text {
	switch s.Peek() {
	case '"':
		return s.Text()
	case 'n':
		s.Value()
		return Text{}
	}
	before := len(s.Repairs)
	raw := s.Raw()
	if len(s.Repairs) > before {
		return Unrepaired(raw)
	}
	return Verbatim(raw)
}

// Literal moves over true, false or null, which word must be.
func (s *Scanner) Literal(word string) {
	if !bytes.HasPrefix(s.Data[s.Pos:], []byte(word)) {
		s.Fail(FaultValue)
		return
	}
	s.Pos += len(word)
}

// Array is an array that is being read.
type Array struct{ begun bool }

// Array steps into the array at the current position, where Peek returned a bracket.
func (s *Scanner) Array() Array {
	s.enter()
	return Array{}
}

// Item moves to the next item and reports whether one follows. The caller moves over the item.
func (s *Scanner) Item(a *Array) bool {
	c := s.Peek()
	if c == ']' {
		s.leave()
		return false
	}
	if a.begun {
		if c != ',' {
			s.Fail(faultComma)
			return false
		}
		s.Pos++ // a bracket behind a comma is no value
	}
	a.begun = true
	return s.Fault == ""
}

func (s *Scanner) enter() {
	s.depth++
	if s.depth > MaxDepth {
		s.Fail(faultDepth)
		return
	}
	s.Pos++
}

func (s *Scanner) leave() {
	s.depth--
	s.Pos++
}
