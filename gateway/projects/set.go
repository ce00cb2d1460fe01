package projects

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// The limit of a project whose entry names none.
const (
	defaultLimitEvents = 60_000
	defaultLimitWindow = 60 * time.Second
)

// The largest limit that a file may give. Events times microseconds of the window stay within an int64.
const (
	MaxLimitEvents = 100_000_000
	MaxLimitWindow = 24 * time.Hour
)

// Limit is a rate limit: Events in each Window. The zero value is no limit. Limits can be compared with ==.
type Limit struct {
	// Events is 1 to MaxLimitEvents, or 0 for no limit.
	Events int
	// Window is 1 s to MaxLimitWindow, in whole microseconds.
	Window time.Duration
	// ExactRetryAfter says that Retry-After is the shortest wait that helps, and not the window.
	ExactRetryAfter bool
}

// Project is what the file says of one project, apart from its keys.
type Project struct {
	// ID matches [a-z0-9_-]{1,64}.
	ID       string
	Disabled bool
	Limit    Limit
	Origins  Origins
}

// Set is one reading of the projects file. It never changes, and any number of goroutines may use it. The zero value is
// empty.
//
// Projects are numbered from 0 to Len()-1, in the order of the file. A million projects must fit, and most of them send
// nothing: so a project is a row of a table and a text, without a pointer, until Project makes a value of it.
type Set struct {
	ids  textSet // the number of an id is the number of its row
	rows slab[row]

	digests slab[digest]
	owners  slab[uint32] // the row of each digest's project
	byKey   hashIndex

	// originLists are the different lists of origins, each as one text.
	originLists textSet
	origins     Origins
}

// row is a project as the table has it.
type row struct {
	window  time.Duration
	keys    uint64 // the sum of its digests' hashes
	events  uint32 // 0: no limit
	origins uint32 // the number of its list of origins
	exact   bool
	off     bool // disabled
}

func (r *row) limit() Limit {
	return Limit{Events: int(r.events), Window: r.window, ExactRetryAfter: r.exact}
}

// digest is the SHA-256 of a key. The keys themselves are never stored.
type digest [sha256.Size]byte

// hash is a part of the digest, which is as good as random.
func (d *digest) hash() uint64 { return binary.LittleEndian.Uint64(d[:8]) }

// Lookup returns the number of the project that a key belongs to. It compares digests, so that the time it takes says
// nothing about the keys.
func (s *Set) Lookup(key []byte) (number int, ok bool) {
	d := digest(sha256.Sum256(key))
	i, ok := s.owner(&d)
	return int(i), ok
}

// owner returns the row of the project that a digest belongs to.
func (s *Set) owner(d *digest) (uint32, bool) {
	if s.byKey.n == 0 {
		return 0, false
	}
	hash := d.hash()
	for at := s.byKey.first(hash); s.byKey.cells[at].item != 0; at = s.byKey.next(at) {
		c := s.byKey.cells[at]
		if c.hash == uint32(hash) && *s.digests.at(c.item - 1) == *d { // half of it
			return *s.owners.at(c.item - 1), true
		}
	}
	return 0, false
}

// Project returns the project of that number, which must be one of the set's. It allocates: keep the result.
func (s *Set) Project(number int) Project {
	i := uint32(number)
	r := s.rows.at(i)
	return Project{
		ID: string(s.ids.text(i)), Disabled: r.off, Limit: r.limit(),
		Origins: readOrigins(s.originLists.text(r.origins)),
	}
}

// LimitOf returns the limit of the project of that id, and false if the set has no such project.
func (s *Set) LimitOf(id string) (Limit, bool) {
	i, ok := s.ids.find([]byte(id))
	if !ok {
		return Limit{}, false
	}
	return s.rows.at(i).limit(), true
}

// Origins returns the origins of all projects together, for requests whose key is not known yet. The caller must not
// change them.
func (s *Set) Origins() *Origins { return &s.origins }

// Len returns how many projects there are.
func (s *Set) Len() int { return s.ids.len() }

// Keys returns how many keys there are.
func (s *Set) Keys() int { return s.digests.n }

// One returns a set of a single project without a rate limit and for pages of any origin, for a developer's machine.
func One(id string, keys ...string) *Set {
	b := newBuilder(nil)
	var entries []keyEntry
	for _, key := range keys {
		entries = append(entries, keyEntry{digest: sha256.Sum256([]byte(key))})
	}
	b.add(&entry{id: id, keys: entries, origins: []byte(anyOrigin)}, func(int, error) {})
	return b.done()
}

// changes are the differences between two sets, in projects.
type changes struct{ added, removed, changed int }

// since counts what differs from an earlier set. A project is changed if its keys, its limit, its origins or its switch
// are. If the pacer's context ends, the count is incomplete.
func (s *Set) since(old *Set, pace *pacer) changes {
	var c changes
	same := 0
	for i := range uint32(s.ids.len()) {
		if i%64 == 0 && pace.pause() != nil {
			break
		}
		j, ok := old.ids.find(s.ids.text(i))
		if !ok {
			c.added++
			continue
		}
		same++
		a, b := *s.rows.at(i), *old.rows.at(j)
		lists := string(s.originLists.text(a.origins)) == string(old.originLists.text(b.origins))
		if b.origins = a.origins; a != b || !lists {
			c.changed++
		}
	}
	c.removed = old.ids.len() - same
	return c
}
