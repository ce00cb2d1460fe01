package strictjson

import "sluice/internal/swar"

// Object is an object that is being read. It describes the member at the scanner's position.
type Object struct {
	// Field is the member's field. NoField: the member means nothing in an object of this kind.
	Field Field

	kind  Kind
	node  int16 // where in the trie the object is, or offTrie: its names are in scanner.keys then
	begun bool

	first int // where the object's names begin in scanner.keys

	// The member's name in the scanned text; on the path nameAt is where its node's text is, and that says the rest.
	nameAt, nameEnd int
	nameForm        textForm
}

// Object steps into the object at the current position, where Peek returned a brace.
func (s *Scanner) Object(k Kind) Object {
	s.enter()
	o := Object{kind: k, node: int16(k), first: len(s.keys)}
	if k >= LearntKinds {
		o.node = offTrie
	}
	return o
}

// Name returns the name of the object's member, which aliases the text.
func (s *Scanner) Name(o *Object) Text {
	if o.node != offTrie {
		n := &s.trie.nodes[o.node]
		at, end := o.nameAt+int(n.comma)+1, o.nameAt+int(n.size)-2
		return Text{raw: s.Data[at:end:end]}
	}
	return Text{raw: s.Data[o.nameAt:o.nameEnd:o.nameEnd], form: o.nameForm}
}

// Member moves to the value of the next member and reports whether one follows. The caller moves over the value.
// At the end of the object Member checks that no name came twice.
func (s *Scanner) Member(o *Object) bool {
	pos, data := s.Pos, s.Data
	if o.node == offTrie || pos+maxTrieText > len(data) {
		return s.otherMember(o)
	}
	b := data[pos : pos+maxTrieText : pos+maxTrieText]
	first, second, third := swar.Word(b), swar.Word(b[8:]), swar.Word(b[16:])
	nodes := s.trie.nodes
	for i := nodes[o.node].child; i != 0; {
		n := &nodes[i]
		if n.matches(first, second, third) {
			o.node, o.Field, o.nameAt = i, n.field, pos
			s.Pos = pos + int(n.size)
			return true
		}
		i = n.next
	}
	return s.newMember(o)
}

// otherMember is Member for an object that has left the trie, and near the end of the text, where comparing whole words
// would read beyond it.
func (s *Scanner) otherMember(o *Object) bool {
	if o.node != offTrie {
		if i := s.trie.find(o.node, s.Data[s.Pos:]); i != 0 {
			n := &s.trie.nodes[i]
			o.node, o.Field, o.nameAt = i, n.field, s.Pos
			s.Pos += int(n.size)
			return true
		}
	}
	return s.newMember(o)
}

// newMember is Member for a member that the trie does not know.
func (s *Scanner) newMember(o *Object) bool {
	start := s.Pos
	c := s.Peek()
	if c == '}' {
		s.leave()
		if o.node == offTrie {
			s.checkUnique(o.first)
			s.keys = s.keys[:o.first]
		}
		return false
	}
	if o.begun || o.node >= firstNode {
		if c != ',' {
			s.Fail(faultComma)
			return false
		}
		s.Pos++
		c = s.Peek()
	}
	o.begun = true
	if c != '"' {
		s.Fail(faultName)
		return false
	}
	if !s.plainName(o) && !s.anyName(o) {
		return false
	}
	if o.node != offTrie {
		s.learn(o, start)
	}
	return true
}

// learn adds the last member to the trie, or takes the object off the trie if there is no room. The member's text
// begins at start; its key is the last of s.keys.
func (s *Scanner) learn(o *Object, start int) {
	text := s.Data[start:s.Pos]
	last := len(s.keys) - 1
	k := s.keys[last]
	s.keys = s.keys[:last]
	compact := int(k.size) + len(`"":`)
	if o.node >= firstNode {
		compact += len(`,`)
	}
	node := int16(offTrie)
	if o.nameForm == verbatim && len(text) == compact {
		node = s.trie.add(o.node, text, o.Field)
	}
	if node == offTrie {
		for at := o.node; at >= firstNode; at = s.trie.nodes[at].parent {
			var buf [maxTrieText]byte
			name := s.trie.nodes[at].name(&buf)
			s.keys = append(s.keys, keyOf(name, len(s.names), true))
			s.names = append(s.names, name...)
		}
		s.keys = append(s.keys, k)
	} else {
		o.nameAt = start
	}
	o.node = node
}
