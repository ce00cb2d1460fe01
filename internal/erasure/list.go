package erasure

import "time"

// List is the erasures that are known. It does not change, and is safe for concurrent use. A nil List has none.
type List struct {
	projects map[string]*subjects
	marks    int
}

// subjects are the erasures of one project.
type subjects struct {
	whole Bound
	// users and emails go by digest, a map for each salt. There is one salt, unless two first erasures were made at the
	// same time.
	users, emails map[Salt]map[Digest]Bound
}

// NewList makes a list. It returns nil if there are no marks.
func NewList(marks []Mark) *List {
	if len(marks) == 0 {
		return nil
	}
	l := &List{projects: map[string]*subjects{}, marks: len(marks)}
	for _, m := range marks {
		s := l.projects[m.Project]
		if s == nil {
			s = &subjects{users: map[Salt]map[Digest]Bound{}, emails: map[Salt]map[Digest]Bound{}}
			l.projects[m.Project] = s
		}
		if m.Kind == Project {
			s.whole = s.whole.and(BoundOf(m))
			continue
		}
		of := s.users
		if m.Kind == Email {
			of = s.emails
		}
		if of[m.Salt] == nil {
			of[m.Salt] = map[Digest]Bound{}
		}
		of[m.Salt][m.Digest] = of[m.Salt][m.Digest].and(BoundOf(m))
	}
	return l
}

// Len is how many erasures the list has.
func (l *List) Len() int {
	if l == nil {
		return 0
	}
	return l.marks
}

// HasProject reports whether anything of a project was erased. It needs no hash of its own, and allocates nothing.
func (l *List) HasProject(project []byte) bool {
	if l == nil {
		return false
	}
	_, ok := l.projects[string(project)]
	return ok
}

// WholeProject reports whether a project was erased as a whole at a time or later.
func (l *List) WholeProject(project string, at time.Time) bool {
	if l == nil || l.projects[project] == nil {
		return false
	}
	whole := l.projects[project].whole
	return whole.at > 0 && at.UnixMilli() <= whole.at
}

// Looker looks events up in a list. It reuses its memory, and is not safe for concurrent use.
type Looker struct {
	list   *List
	hasher hasher

	last struct { // many events in a row are of one project
		name string
		of   *subjects
	}
}

// Looker returns a looker for one goroutine.
func (l *List) Looker() *Looker { return &Looker{list: l} }

// Covers reports whether an event of a project, with a user's id and address, both perhaps empty, is erased.
func (k *Looker) Covers(project, user, email []byte, t Times) bool {
	s := k.subjects(project)
	return s != nil && (s.whole.Covers(t) ||
		k.any(s.users, User, user, t) || k.any(s.emails, Email, email, t))
}

func (k *Looker) subjects(project []byte) *subjects {
	if k.list == nil {
		return nil
	}
	if k.last.name == "" || string(project) != k.last.name {
		k.last.name, k.last.of = string(project), k.list.projects[string(project)]
	}
	return k.last.of
}

func (k *Looker) any(of map[Salt]map[Digest]Bound, kind Kind, value []byte, t Times) bool {
	if len(value) == 0 {
		return false
	}
	for salt, digests := range of {
		if b := digests[k.hasher.digest(salt, k.last.name, kind, value)]; b.Covers(t) {
			return true
		}
	}
	return false
}
