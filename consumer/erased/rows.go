package erased

import (
	"bytes"
	"slices"
	"time"

	"sluice/consumer/rows"
	"sluice/internal/erasure"
	"sluice/internal/outcome"
)

// rowsOf lists the rows of a block that are erased, ascending.
func rowsOf(list *erasure.List, b *rows.Block) (gone []int32) {
	if list == nil || !concerned(list, b) {
		return nil
	}
	looker := list.Looker()
	for row, o := range b.Owners() {
		if looker.Covers(o.Project, o.User, o.Email, b.TimesOf(row)) {
			gone = append(gone, int32(row)) // rows of one block
		}
	}
	return gone
}

// concerned reports whether a block has rows of a project that something was erased of. Most rows follow one of the
// same project.
func concerned(list *erasure.List, b *rows.Block) bool {
	var last []byte
	for _, project := range b.Projects() {
		if bytes.Equal(project, last) {
			continue
		}
		if last = project; list.HasProject(project) {
			return true
		}
	}
	return false
}

// others lists the numbers from 0 up to, not including, n that are not among some, which are ascending.
func others(n int, some []int32) []int32 {
	out := make([]int32, 0, n-len(some))
	for i := range int32(n) { // rows of one block
		if len(some) > 0 && some[0] == i {
			some = some[1:]
			continue
		}
		out = append(out, i)
	}
	return out
}

// without removes numbers from others. Both are ascending.
func without(all, gone []int32) []int32 {
	if len(gone) == 0 {
		return all
	}
	return slices.DeleteFunc(all, func(i int32) bool {
		_, there := slices.BinarySearch(gone, i)
		return there
	})
}

// countsWithout leaves out the counts of projects that were erased after the counts' minutes began.
func countsWithout(list *erasure.List, counts []outcome.Row) []outcome.Row {
	var out []outcome.Row
	for _, c := range counts {
		if !list.WholeProject(c.Project, time.Unix(c.Minute, 0)) {
			out = append(out, c)
		}
	}
	return out
}
