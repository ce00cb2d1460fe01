package event

// faultBracket is a fault of the splitter's own.
const faultBracket = "brackets do not match"

// items splits the array at the scanner's position.
func (b *Bulk) items() *Error {
	s := &b.scanner
	for a := s.array(); s.item(&a); {
		s.peek()
		start := s.pos
		if b.each != nil && b.decodeHere() {
			continue
		}
		b.skipItem()
		if s.fault != "" {
			return nil
		}
		if err := b.add(s.data[start:s.pos:s.pos]); err != nil {
			return err
		}
	}
	return nil
}

// skipItem moves over one item of an array by its brackets and quotes alone. Whatever is not a bracket, a quote, a
// comma or white space is taken as part of a word, as long as there is one.
func (b *Bulk) skipItem() {
	s := &b.scanner
	switch c := s.peek(); c {
	case '{', '[':
		b.skipBrackets()
	case '"':
		s.skipString()
	default:
		start := s.pos
		for s.pos < len(s.data) && isWord(s.data[s.pos]) {
			s.pos++
		}
		if s.pos == start {
			s.fail(faultValue)
		}
	}
}

func isWord(c byte) bool {
	switch c {
	case '{', '}', '[', ']', '"', ',':
		return false
	}
	return !isSpaceByte(c)
}

// skipBrackets moves over an array or object of any depth.
func (b *Bulk) skipBrackets() {
	s := &b.scanner
	for depth := 0; ; {
		for s.pos < len(s.data) && !isStructure[s.data[s.pos]] {
			s.pos++
		}
		if s.pos == len(s.data) {
			s.fail(faultCut)
			return
		}
		switch c := s.data[s.pos]; c {
		case '"':
			s.skipString()
			continue
		case '{', '[':
			b.push(depth, c == '{')
			depth++
		default:
			depth--
			if b.isObject(depth) != (c == '}') {
				s.fail(faultBracket)
				return
			}
		}
		s.pos++
		if depth == 0 {
			return
		}
	}
}

// isStructure marks brackets and quotes.
var isStructure = [256]bool{'{': true, '}': true, '[': true, ']': true, '"': true}

// push notes what kind of bracket is open at a depth. A bit each, so that 5 MB of brackets are no burden.
func (b *Bulk) push(depth int, isObject bool) {
	word, bit := depth/64, uint64(1)<<(depth%64)
	if word == len(b.open) {
		b.open = append(b.open, 0)
	}
	b.open[word] &^= bit
	if isObject {
		b.open[word] |= bit
	}
}

func (b *Bulk) isObject(depth int) bool {
	return b.open[depth/64]>>(depth%64)&1 == 1
}

// skipString moves over a string to its closing quote, whatever is in between.
func (s *scanner) skipString() {
	for i := s.pos + 1; i < len(s.data); i++ {
		i += plainRun(s.data[i:])
		if i >= len(s.data) {
			break
		}
		switch s.data[i] {
		case '"':
			s.pos = i + 1
			return
		case '\\':
			i++
		}
	}
	s.pos = len(s.data)
	s.fail(faultCut)
}
