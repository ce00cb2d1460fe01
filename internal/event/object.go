package event

// object is an object being read: its member under the scanner.
type object struct {
	kind  kind
	field field // which field the member is; noField: none that this kind of object has
	node  int16 // where in the trie the object is, or offTrie: its names are in scanner.keys then
	begun bool

	first int // where the object's names begin in scanner.keys

	// The member's name in the scanned text; on the path nameAt is where its node's text is, and that says the rest.
	nameAt, nameEnd int
	nameForm        textForm
}

// object steps into the object at the current position.
func (s *scanner) object(k kind) object {
	s.enter()
	o := object{kind: k, node: int16(k), first: len(s.keys)}
	if k >= learntKinds {
		o.node = offTrie
	}
	return o
}

// name is the name of the object's member, aliasing the scanned text.
func (s *scanner) name(o *object) Text {
	if o.node != offTrie {
		n := &s.trie.nodes[o.node]
		at, end := o.nameAt+int(n.comma)+1, o.nameAt+int(n.size)-2
		return Text{raw: s.data[at:end:end]}
	}
	return Text{raw: s.data[o.nameAt:o.nameEnd:o.nameEnd], form: o.nameForm}
}

// member moves to the value of the next member and reports whether there is one; the caller moves over the value.
// At the end of the object it checks that no name came twice.
func (s *scanner) member(o *object) bool {
	pos, data := s.pos, s.data
	if o.node == offTrie || pos+maxTrieText > len(data) {
		return s.otherMember(o)
	}
	b := data[pos : pos+maxTrieText : pos+maxTrieText]
	first, second, third := word(b), word(b[8:]), word(b[16:])
	nodes := s.trie.nodes
	for i := nodes[o.node].child; i != 0; {
		n := &nodes[i]
		if n.matches(first, second, third) {
			o.node, o.field, o.nameAt = i, n.field, pos
			s.pos = pos + int(n.size)
			return true
		}
		i = n.next
	}
	return s.newMember(o)
}

// otherMember is member where there is no path, or at the end of the text, where what is compared might reach beyond it.
func (s *scanner) otherMember(o *object) bool {
	if o.node != offTrie {
		if i := s.trie.find(o.node, s.data[s.pos:]); i != 0 {
			n := &s.trie.nodes[i]
			o.node, o.field, o.nameAt = i, n.field, s.pos
			s.pos += int(n.size)
			return true
		}
	}
	return s.newMember(o)
}

// newMember is member where the trie does not help.
func (s *scanner) newMember(o *object) bool {
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
	if o.begun || o.node >= firstNode {
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
		s.learn(o, start)
	}
	return true
}

// learn puts the member whose text begins at start, its key is the last, into the trie, or takes the object off it.
func (s *scanner) learn(o *object, start int) {
	text := s.data[start:s.pos]
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
	} else {
		o.nameAt = start
	}
	o.node = node
}
