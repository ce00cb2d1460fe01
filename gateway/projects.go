package gateway

import (
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"
	"time"
)

// The limit of a project whose entry names none.
const (
	defaultLimitEvents = 60_000
	defaultLimitWindow = 60 * time.Second
)

// digest is the SHA-256 of a key; the keys themselves are never stored.
type digest [sha256.Size]byte

// hash is a part of the digest, which is as good as random.
func (d *digest) hash() uint64 { return binary.LittleEndian.Uint64(d[:8]) }

// project is who a key belongs to.
type project struct {
	id       string
	disabled bool
	limit    *limiter // nil: no limit
	origins  origins
}

// Projects is one reading of the projects file. It does not change; a new reading replaces it as a whole.
//
// A million projects must fit, most of which send nothing: so a project is a row of a table and a text, without a pointer, and
// becomes a project value when it is first asked for.
type Projects struct {
	ids  textSet // the number of an id is the number of its row
	rows slab[row]

	digests slab[digest]
	owners  slab[uint32] // whose key a digest is, by row
	byKey   slots

	// originLists are the different lists of origins, each as one text.
	originLists textSet
	// origins are those of all projects together: what is known of a request before its key is.
	origins origins

	// made are the projects that were asked for, by row.
	made     []atomic.Pointer[project]
	limiters *limiters
	read     time.Time
}

// row is a project as the file has it.
type row struct {
	window  time.Duration
	keys    uint64 // the sum of its digests' hashes
	events  uint32 // 0: no limit
	origins uint32 // number of its list of origins
	exact   bool
	off     bool // disabled
}

func (r *row) limit() limitSpec {
	return limitSpec{events: int(r.events), window: r.window, exact: r.exact}
}

// find returns the project of a key, or nil. What is compared is a digest, which says nothing about the key it came from,
// however long the comparison took.
func (p *Projects) find(key []byte) *project {
	d := digest(sha256.Sum256(key))
	i, ok := p.owner(&d)
	if !ok {
		return nil
	}
	if found := p.made[i].Load(); found != nil {
		return found
	}
	return p.make(i)
}

// owner returns the row of the project that a key belongs to.
func (p *Projects) owner(d *digest) (uint32, bool) {
	if p.byKey.n == 0 {
		return 0, false
	}
	hash := d.hash()
	for cell := p.byKey.first(hash); p.byKey.cells[cell].item != 0; cell = p.byKey.next(cell) {
		c := p.byKey.cells[cell]
		if c.hash == uint32(hash) && *p.digests.at(c.item - 1) == *d { //nolint:gosec // half of it
			return *p.owners.at(c.item - 1), true
		}
	}
	return 0, false
}

// make makes a project of its row. Whoever is first wins.
func (p *Projects) make(i uint32) *project {
	r := p.rows.at(i)
	made := &project{id: string(p.ids.get(i)), disabled: r.off, origins: readOrigins(p.originLists.get(r.origins))}
	made.limit = p.limiters.of(made.id, r.limit(), p.read)
	if p.made[i].CompareAndSwap(nil, made) {
		return made
	}
	return p.made[i].Load()
}

// Len returns how many projects there are.
func (p *Projects) Len() int { return p.ids.len() }

// Keys returns how many keys there are.
func (p *Projects) Keys() int { return p.digests.n }

// OneProject is a single project without a rate limit and for pages of any origin, for a developer's machine.
func OneProject(id, key string) *Projects {
	b := newProjectsBuilder(nil, time.Now())
	b.add(&projectEntry{id: id, keys: []keyEntry{{digest: sha256.Sum256([]byte(key))}}, origins: []byte(anyOrigin)}, func(int, error) {})
	return b.done()
}

// changes are the differences between two readings, in projects.
type changes struct{ added, removed, changed int }

// since counts what differs from an earlier reading. A project is changed if its keys, its limit, its origins or its switch are.
func (p *Projects) since(old *Projects, pace *pacer) changes {
	var c changes
	same := 0
	for i := range uint32(p.ids.len()) { //nolint:gosec // below 2^32
		if i%64 == 0 {
			_ = pace.pause() // the count goes on if the gateway stops
		}
		j, ok := old.ids.find(p.ids.get(i))
		if !ok {
			c.added++
			continue
		}
		same++
		a, b := *p.rows.at(i), *old.rows.at(j)
		lists := string(p.originLists.get(a.origins)) == string(old.originLists.get(b.origins))
		if b.origins = a.origins; a != b || !lists {
			c.changed++
		}
	}
	c.removed = old.ids.len() - same
	return c
}
