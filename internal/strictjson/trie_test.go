package strictjson

import (
	"fmt"
	"strings"
	"testing"
)

const (
	kindTop Kind = iota
	kindFrames
	kindLabels
)

const (
	fieldLabels Field = 1 + iota
	fieldTrace
)

// members knows two members of the outermost object; the rest has no meaning.
func members(k Kind, name []byte) Field {
	switch {
	case k == kindTop && string(name) == "tags":
		return fieldLabels
	case k == kindTop && string(name) == "stacktrace":
		return fieldTrace
	}
	return NoField
}

// read reads one object whose tags and frames are kinds of their own, and returns the fault.
func read(s *Scanner, raw string) string {
	s.Fields = members
	s.Reset([]byte(raw), nil)
	s.Peek()
	o := s.Object(kindTop)
	for s.Member(&o) {
		switch o.Field {
		case fieldLabels:
			s.Peek()
			all(s, kindLabels)
		case fieldTrace:
			s.Peek()
			for a := s.Array(); s.Item(&a); {
				s.Peek()
				all(s, kindFrames)
			}
		default:
			s.Value()
		}
	}
	s.End()
	return s.Fault
}

func all(s *Scanner, k Kind) {
	o := s.Object(k)
	for s.Member(&o) {
		s.Value()
	}
}

func mustRead(t *testing.T, s *Scanner, raw string) {
	t.Helper()
	if fault := read(s, raw); fault != "" {
		t.Fatalf("%q: %s", raw, fault)
	}
}

// sameAgain checks that a scanner finds the same in a text twice, whatever it remembers of others, as one that knows none.
func sameAgain(t *testing.T, s *Scanner, raw string) {
	t.Helper()
	want := read(&Scanner{}, raw)
	if first, second := read(s, raw), read(s, raw); first != want || second != want {
		t.Fatalf("%q: %q, then %q, want %q", raw, first, second, want)
	}
}

// withMember is an object with one member besides its message.
func withMember(name, value string) string { return `{"message":"m","` + name + `":` + value + `}` }

const usual = `{"message":"m","level":"error","tags":{"a":"1","b":"2"},"stacktrace":[{"filename":"f","function":"g"}]}`

// TestTrieIsBounded fills the trie with names that do not come again, and sees it learn others later.
func TestTrieIsBounded(t *testing.T) {
	var s Scanner
	for n := range 4 * maxTrieNodes {
		sameAgain(t, &s, fmt.Sprintf(`{"message":"m","a%d":1,"tags":{"b%d":2}}`, n%7, n))
		sameAgain(t, &s, fmt.Sprintf(`{"message":"m","c%d":{"x":1},"d%d":1}`, n%5, n))
		if len(s.trie.nodes) > maxTrieNodes {
			t.Fatalf("%d nodes", len(s.trie.nodes))
		}
	}
	var text []string
	for n := range maxTrieNodes + 100 {
		text = append(text, fmt.Sprintf(`{"filename":"f","a%d":1,"b%d":1}`, n%3, n))
	}
	full := withMember("stacktrace", "["+strings.Join(text, ",")+"]")
	for range trieRest + 3 {
		mustRead(t, &s, full)
	}
	for range trieRest + 3 { // the last of what nobody repeats is forgotten
		mustRead(t, &s, usual)
	}
	before := len(s.trie.nodes)
	mustRead(t, &s, usual)
	if len(s.trie.nodes) != before || before > 100 {
		t.Errorf("%d nodes, then %d", before, len(s.trie.nodes))
	}
}

// TestTrieLearns: what is on the path costs no search for names that are there twice.
func TestTrieLearns(t *testing.T) {
	for members, onPath := range map[int]bool{maxTrieDepth - 1: true, maxTrieDepth: true, maxTrieDepth + 1: false} {
		var s Scanner
		object := []string{`"message":"m"`}
		for i := 1; i < members; i++ {
			object = append(object, fmt.Sprintf(`"n%d":1`, i))
		}
		raw := "{" + strings.Join(object, ",") + "}"
		mustRead(t, &s, raw)
		s.keys = nil
		mustRead(t, &s, raw)
		if (cap(s.keys) == 0) != onPath {
			t.Errorf("%d members: %d keys", members, cap(s.keys))
		}
	}
	for size, onPath := range map[int]bool{maxTrieText - 5: true, maxTrieText - 4: true, maxTrieText - 3: false} { // two quotes, colon, comma
		var s Scanner
		raw := withMember(strings.Repeat("n", size), "1")
		mustRead(t, &s, raw)
		s.keys = nil
		mustRead(t, &s, raw)
		if (cap(s.keys) == 0) != onPath {
			t.Errorf("a name of %d bytes: %d keys", size, cap(s.keys))
		}
	}
	for siblings, onPath := range map[int]bool{maxTrieChildren - 1: true, maxTrieChildren: true, maxTrieChildren + 1: false} {
		var s Scanner
		raw := ""
		for i := range siblings {
			raw = withMember(fmt.Sprintf("n%d", i), "1")
			mustRead(t, &s, raw)
		}
		s.keys = nil
		mustRead(t, &s, raw)
		if (cap(s.keys) == 0) != onPath {
			t.Errorf("%d children: %d keys", siblings, cap(s.keys))
		}
	}
}
