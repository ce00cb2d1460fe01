package gateway

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// projectEntry is one project of the file, checked by itself.
type projectEntry struct {
	line    int
	id      string
	keys    []keyEntry
	limit   limitSpec
	origins []byte // see readOrigins
	off     bool
}

type keyEntry struct {
	line   int
	name   string // as an error calls it
	digest digest
}

// projectsBuilder puts entries together to a reading of the file.
type projectsBuilder struct{ out *Projects }

// newProjectsBuilder begins a reading that takes over the limiters of an earlier one, which may be nil.
func newProjectsBuilder(old *Projects, now time.Time) *projectsBuilder {
	b := &projectsBuilder{out: &Projects{read: now}}
	if old != nil {
		b.out.limiters = old.limiters
	} else {
		b.out.limiters = newLimiters()
	}
	b.out.originLists.add([]byte(anyOrigin)) // number originsAny
	return b
}

// add adds a project and reports what it has in common with another one and must not.
func (b *projectsBuilder) add(e *projectEntry, fault func(line int, err error)) {
	p := b.out
	i, added := p.ids.add([]byte(e.id))
	if !added {
		fault(e.line, errors.New("the id is given twice"))
		return
	}
	r := row{events: uint32(e.limit.events), window: e.limit.window, exact: e.limit.exact, off: e.off} //nolint:gosec // bounded
	if r.origins, added = p.originLists.add(e.origins); added || r.origins == originsAny {
		p.origins.add(e.origins)
	}
	for k := range e.keys {
		d := &e.keys[k].digest
		if other, taken := p.owner(d); taken {
			fault(e.keys[k].line, fmt.Errorf("key %s: the same key is listed twice; project %q has it, too", e.keys[k].name, p.ids.get(other)))
			continue
		}
		p.byKey.put(d.hash())
		p.digests.add(*d)
		p.owners.add(i)
		r.keys += d.hash()
	}
	p.rows.add(r)
}

// originsAny is the number of the list that is anyOrigin.
const originsAny = 0

// done returns the reading.
func (b *projectsBuilder) done() *Projects {
	b.out.made = make([]atomic.Pointer[project], b.out.ids.len())
	return b.out
}
