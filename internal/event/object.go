package event

// object is an object being read: its member under the scanner.
type object struct {
	kind  kind
	field field // which field the member is; noField: none that this kind of object has
	node  int16 // where in the trie the object is, or offTrie: its names are in scanner.keys then
	begun bool

	first int // where the object's names begin in scanner.keys

	nameAt, nameEnd int // the member's name in the scanned text
	nameForm        textForm
}

// object steps into the object at the current position.
func (s *scanner) object(k kind) object {
	s.enter()
	o := object{kind: k, node: int16(k), first: len(s.keys)}
	if k >= kinds {
		o.node = offTrie
	}
	return o
}

// name is the name of the object's member, aliasing the scanned text.
func (s *scanner) name(o *object) Text {
	return Text{raw: s.data[o.nameAt:o.nameEnd:o.nameEnd], form: o.nameForm}
}

// member moves to the value of the next member and reports whether there is one; the caller moves over the value.
// At the end of the object it checks that no name came twice.
func (s *scanner) member(o *object) bool {
	if o.node == offTrie {
		return s.otherMember(o)
	}
	pos, data := s.pos, s.data
	var n *trieNode
	if pos+maxTrieText <= len(data) {
		n = s.trie.find(o.node, data[pos:pos+maxTrieText:pos+maxTrieText])
	} else {
		n = s.trie.findInRest(o.node, data[pos:])
	}
	if n == nil {
		return s.otherMember(o)
	}
	o.node, o.field, o.begun = n.at, n.field, true
	o.nameAt = pos + 1 + int(n.comma)
	pos += int(n.size)
	o.nameEnd = pos - 2
	s.pos = pos
	return true
}

// otherMember is member where the trie does not help.
func (s *scanner) otherMember(o *object) bool {
	start := s.pos
	c := s.peek()
	if c == '}' {
		s.leave()
		if o.node == offTrie {
			s.checkUnique(o.first)
			s.keys = s.keys[:o.first]
		}
		return false
	}
	if o.begun {
		if c != ',' {
			s.fail(faultComma)
			return false
		}
		s.pos++
		c = s.peek()
	}
	o.begun = true
	if c != '"' {
		s.fail(faultName)
		return false
	}
	if !s.plainName(o) && !s.anyName(o) {
		return false
	}
	if o.node != offTrie {
		s.learn(o, s.data[start:s.pos])
	}
	return true
}

// learn puts the member that was read from text, its last key, into the trie, or takes the object off it.
func (s *scanner) learn(o *object, text []byte) {
	last := len(s.keys) - 1
	k := s.keys[last]
	s.keys = s.keys[:last]
	compact := int(k.size) + len(`"":`)
	if o.node >= firstNode {
		compact += len(`,`)
	}
	node := int16(offTrie)
	if o.nameForm == verbatim && len(text) == compact {
		node = s.trie.add(o.node, text, o.field)
	}
	if node == offTrie {
		for at := o.node; at >= firstNode; at = s.trie.nodes[at].parent {
			var buf [maxTrieText]byte
			name := s.trie.nodes[at].name(&buf)
			s.keys = append(s.keys, keyOf(name, len(s.names), true))
			s.names = append(s.names, name...)
		}
		s.keys = append(s.keys, k)
	}
	o.node = node
}
