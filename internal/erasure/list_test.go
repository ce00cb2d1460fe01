package erasure

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var at = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// around are the milliseconds just before, at and just after a time.
func around(t time.Time) [3]int64 {
	return [3]int64{t.UnixMilli() - 1, t.UnixMilli(), t.UnixMilli() + 1}
}

// TestCovers: each time of a row has its limit, and what is covered there ends with the next millisecond.
func TestCovers(t *testing.T) {
	const doubt = time.Hour
	b := BoundOf(NewMark("p", Project, "", NewSalt(), at, doubt))
	later := at.Add(time.Minute).UnixMilli()
	longAfter := at.Add(48 * time.Hour).UnixMilli()
	for name, c := range map[string]struct {
		limit time.Time
		row   func(ms int64) Times
	}{
		"received": {at, func(ms int64) Times {
			return Times{Received: ms, Timestamp: at.Add(clockSlack).UnixMilli() + 1, V7: true}
		}},
		"happened": {at.Add(clockSlack), func(ms int64) Times { return Times{Received: longAfter, Timestamp: ms, V7: true} }},
		"adjusted, as sent": {at.Add(clockSlack), func(ms int64) Times {
			return Times{Received: longAfter, Timestamp: longAfter, Client: ms, Adjusted: true, V7: true}
		}},
		"adjusted, in the id": {at.Add(clockSlack), func(ms int64) Times {
			return Times{Received: longAfter, Timestamp: longAfter, ID: ms, Adjusted: true, V7: true}
		}},
		"without a time": {at.Add(doubt), func(ms int64) Times { return Times{Received: ms, Timestamp: ms} }},
		"not understood": {at.Add(doubt), func(ms int64) Times { return Times{Received: ms, Timestamp: ms, Adjusted: true, V7: true} }},
		"from a clock that is ahead": {at.Add(doubt), func(ms int64) Times {
			return Times{Received: ms, Timestamp: ms + clockSlack.Milliseconds() + 1, V7: true}
		}},
	} {
		for i, ms := range around(c.limit) {
			assert.Equal(t, i < 2, b.Covers(c.row(ms)), "%s: %d", name, i)
		}
	}
	for name, row := range map[string]Times{
		"made by the gateway":          {Received: later, Timestamp: later, V7: true},
		"a clock within the tolerance": {Received: later, Timestamp: later + clockSlack.Milliseconds()},
		"with a timestamp":             {Received: later, Timestamp: later - 1},
	} {
		assert.False(t, b.Covers(row), name)
	}
	assert.False(t, Bound{}.Covers(Times{}), "nothing was erased")
	none := BoundOf(NewMark("p", Project, "", NewSalt(), at, 0))
	assert.False(t, none.Covers(Times{Received: later, Timestamp: later}), "no window for resends")
}

// TestList: an erasure is about its project, and its user or address there, whichever salt its mark has.
func TestList(t *testing.T) {
	one, two := NewSalt(), NewSalt()
	list := NewList([]Mark{
		NewMark("p", User, "u", one, at, 0), NewMark("p", User, "v", two, at, 0),
		NewMark("p", User, "u", one, at.Add(-time.Hour), 0), // an earlier one takes nothing back
		NewMark("p", Email, "U@Example.org", one, at, 0), NewMark("all", Project, "", one, at, 0),
	})
	assert.Equal(t, 5, list.Len())
	looker := list.Looker()
	before := Times{Received: at.UnixMilli(), Timestamp: at.UnixMilli(), V7: true}
	for _, c := range []struct {
		project, user, email string
		want                 bool
	}{
		{"p", "u", "", true}, {"p", "v", "", true}, {"p", "w", "u@example.ORG", true}, {"p", "", "U@Example.org", true},
		{"p", "U", "", false}, {"p", "", "", false}, {"p", "U@Example.org", "u", false}, {"q", "u", "U@Example.org", false},
		{"all", "", "", true}, {"all", "u", "x", true}, {"", "u", "", false},
	} {
		assert.Equal(t, c.want, looker.Covers([]byte(c.project), []byte(c.user), []byte(c.email), before), "%+v", c)
	}
	assert.True(t, list.HasProject([]byte("p")))
	assert.False(t, list.HasProject([]byte("q")))
	assert.True(t, list.WholeProject("all", at))
	assert.False(t, list.WholeProject("all", at.Add(time.Millisecond)))
	assert.False(t, list.WholeProject("p", at), "only a user of it")
	var empty *List
	assert.Nil(t, NewList(nil))
	assert.Zero(t, empty.Len())
	assert.False(t, empty.HasProject([]byte("p")) || empty.WholeProject("p", at) || empty.Looker().Covers([]byte("p"), nil, nil, before))
}

// TestMarkText: a mark is read as it was written, and nothing else is.
func TestMarkText(t *testing.T) {
	m := NewMark("checkout", User, "u", NewSalt(), at.Add(time.Millisecond/2), 90*time.Second)
	got, err := Parse(m.String())
	require.NoError(t, err)
	assert.Equal(t, m, got)
	assert.NotContains(t, m.String()+m.Condition(), "'u'")
	assert.NotEqual(t, m.Digest, NewMark("other", User, "u", m.Salt, at, 0).Digest, "a user of two projects")
	assert.NotEqual(t, m.Digest, NewMark("checkout", Email, "u", m.Salt, at, 0).Digest)
	words := m.String()
	for _, text := range []string{
		"", "a b c d e f g", words + " 1", words + "0000000000000000000", words[1:], "x" + words,
		uuid.NewString() + words[36:46] + "NOT A PROJECT" + words[46:],
	} {
		_, err := Parse(text)
		assert.Error(t, err, text)
	}
}

func BenchmarkCovers(b *testing.B) {
	list := NewList([]Mark{NewMark("p", User, "u", NewSalt(), at, 0)})
	later := Times{Received: at.UnixMilli() + 1e6, Timestamp: at.UnixMilli() + 1e6, V7: true}
	for name, project := range map[string]string{"another project": "q", "the project": "p"} {
		b.Run(name, func(b *testing.B) {
			looker := list.Looker()
			for b.Loop() {
				looker.Covers([]byte(project), []byte("user-0193b3c4-5d6e-7a7b"), nil, later)
			}
		})
	}
}
