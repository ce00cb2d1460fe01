package strictjson

import (
	"bytes"
	"encoding/binary"
	"sluice/internal/swar"
)

// trie remembers the order in which objects had their members. Programs write the same names in the same order over and
// over. A member that follows the same members as before is recognised by comparing a few words. No name is twice on a
// path through the trie, so an object on a path needs no search for duplicates.
//
// The trie is a short cut only: an object that leaves the path is read name by name, as the first of its kind was.
//
// Its memory is bounded. So is the cost of names that nobody repeats: learning a member takes several times as long as
// reading one, but a full trie learns nothing for the next trieRest texts.
type trie struct {
	nodes []trieNode // the first are the roots, one a kind of object
	rest  int        // for how many texts a full trie is left as it is
}

// trieNode is a member that came after the members on the path from the root.
type trieNode struct {
	text  trieWords // as it stands in a text without white space, from the comma to the colon
	mask  trieWords // which bytes of text count
	size  uint8     // of text, in bytes
	comma uint8     // 1: text begins with a comma
	field Field

	parent, child, next int16 // child is the first of several; next is the next child of the parent; 0: none
}

// trieWords are up to maxTrieText bytes, the first of them lowest.
type trieWords [3]uint64

const (
	maxTrieText     = 24      // bytes
	maxTrieNodes    = 1 << 10 // 64 KiB
	maxTrieChildren = 8       // of one node: each may have to be looked at
	maxTrieDepth    = 32      // members of one object: each is compared with each
	trieRest        = 255     // texts
	offTrie         = -1      // the node of an object that has left the path

	firstNode = int16(LearntKinds) // that is no root
)

// reset begins another text. No object may be on a path.
func (t *trie) reset() {
	switch {
	case len(t.nodes) == 0:
	case len(t.nodes) < maxTrieNodes:
		return
	case t.rest > 0:
		t.rest--
		return
	}
	t.nodes = append(t.nodes[:0], make([]trieNode, firstNode)...)
	t.rest = trieRest
}

// matches reports whether three words begin with the node's text.
func (n *trieNode) matches(first, second, third uint64) bool {
	return (first^n.text[0])&n.mask[0]|(second^n.text[1])&n.mask[1]|(third^n.text[2])&n.mask[2] == 0
}

// find returns the child of a node with whose text b begins, or 0. b may be shorter than three words.
func (t *trie) find(node int16, b []byte) int16 {
	var words [maxTrieText]byte // no text has a NUL in it
	copy(words[:], b)
	i := t.nodes[node].child
	for i != 0 && !t.nodes[i].matches(swar.Word(words[:]), swar.Word(words[8:]), swar.Word(words[16:])) {
		i = t.nodes[i].next
	}
	return i
}

// add adds a child to a node and returns it. It returns offTrie if there is no room or the name is on the path already.
func (t *trie) add(parent int16, text []byte, f Field) int16 {
	if len(t.nodes) >= maxTrieNodes || len(text) > maxTrieText {
		return offTrie
	}
	n := trieNode{size: uint8(len(text)), field: f, parent: parent}
	if text[0] == ',' {
		n.comma = 1
	}
	var padded, mask [maxTrieText]byte
	copy(padded[:], text)
	for i := range text {
		mask[i] = 0xFF
	}
	for i := range n.text {
		n.text[i], n.mask[i] = swar.Word(padded[8*i:]), swar.Word(mask[8*i:])
	}
	var buf, other [maxTrieText]byte
	name := n.name(&buf)
	depth := 1
	for at := parent; at >= firstNode; at = t.nodes[at].parent {
		if depth++; depth > maxTrieDepth || bytes.Equal(t.nodes[at].name(&other), name) {
			return offTrie
		}
	}
	last := &t.nodes[parent].child
	for children := 0; *last != 0; children++ {
		if children == maxTrieChildren-1 {
			return offTrie
		}
		last = &t.nodes[*last].next
	}
	at := int16(len(t.nodes))
	*last = at // before nodes moves
	t.nodes = append(t.nodes, n)
	return at
}

// name writes the member's name to buf and returns it.
func (n *trieNode) name(buf *[maxTrieText]byte) []byte {
	for i, w := range n.text {
		binary.LittleEndian.PutUint64(buf[8*i:], w)
	}
	return buf[n.comma+1 : n.size-2] // without the quotes and the colon
}
