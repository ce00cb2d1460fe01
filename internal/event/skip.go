package event

// faultBracket is a fault that only skip finds.
const faultBracket = "brackets do not match"

// skip moves over one value by its brackets and quotes alone and checks nothing else. A run of other bytes up to white
// space, a comma, a bracket or a quote counts as a word, and a word as a value.
func (s *scanner) skip() {
	switch c := s.peek(); c {
	case '{', '[':
		s.skipBrackets()
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
	return !isSpaceJSON(c)
}

// skipBrackets moves over an array or object of any depth.
func (s *scanner) skipBrackets() {
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
			s.push(depth, c == '{')
			depth++
		default:
			depth--
			if s.isObject(depth) != (c == '}') {
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
func (s *scanner) push(depth int, isObject bool) {
	word, bit := depth/64, uint64(1)<<(depth%64)
	if word == len(s.open) {
		s.open = append(s.open, 0)
	}
	s.open[word] &^= bit
	if isObject {
		s.open[word] |= bit
	}
}

func (s *scanner) isObject(depth int) bool {
	return s.open[depth/64]>>(depth%64)&1 == 1
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

// restart begins to skip through data. Unlike reset it keeps the names that were read: skip reads none.
func (s *scanner) restart(data []byte) { s.data, s.pos, s.fault = data, 0, "" }

func isSpaceJSON(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }
