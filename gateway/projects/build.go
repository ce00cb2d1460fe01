package projects

import (
	"errors"
	"fmt"
)

// entry is one project of the file, checked by itself.
type entry struct {
	line    int
	id      string
	keys    []keyEntry
	limit   Limit
	origins []byte // see readOrigins
	off     bool   // disabled
}

// keyEntry is one key of an entry.
type keyEntry struct {
	line   int
	name   string // as an error calls it
	digest digest
}

// builder makes a set of entries.
type builder struct{ set *Set }

// newBuilder makes room for as many projects and keys as an earlier set has, because growing a large index takes long.
// The earlier set may be nil.
func newBuilder(old *Set) *builder {
	b := &builder{set: &Set{}}
	if old != nil {
		b.set.ids.byText.resize(old.Len())
		b.set.byKey.resize(old.Keys())
	}
	b.set.originLists.add([]byte(anyOrigin)) // gets the number originsAny
	return b
}

// done returns the set.
func (b *builder) done() *Set {
	b.set.ids.byText.trim()
	b.set.byKey.trim()
	return b.set
}

// originsAny is the number of the list that is anyOrigin.
const originsAny = 0

// add adds a project and reports each id and key that an earlier project has.
func (b *builder) add(e *entry, fault func(line int, err error)) {
	s := b.set
	i, added := s.ids.add([]byte(e.id))
	if !added {
		fault(e.line, errors.New("the id is given twice"))
		return
	}
	r := row{window: e.limit.Window, exact: e.limit.ExactRetryAfter, off: e.off}
	r.events = uint32(e.limit.Events) // at most MaxLimitEvents
	if r.origins, added = s.originLists.add(e.origins); added || r.origins == originsAny {
		s.origins.add(e.origins)
	}
	for k := range e.keys {
		d := &e.keys[k].digest
		if other, taken := s.owner(d); taken {
			fault(e.keys[k].line, fmt.Errorf("key %s: the same key is listed twice; project %q has it, too",
				e.keys[k].name, s.ids.text(other)))
			continue
		}
		s.byKey.add(d.hash())
		s.digests.add(*d)
		s.owners.add(i)
		r.keys += d.hash()
	}
	s.rows.add(r)
}
