package audit

import (
	"cmp"
	"iter"
	"slices"
)

// span is a run of offsets, both ends included.
type span struct{ first, last int64 }

func (s span) length() int64 { return s.last - s.first + 1 }

// lengthOf is how many offsets spans have.
func lengthOf(spans []span) (n int64) {
	for _, s := range spans {
		n += s.length()
	}
	return n
}

// allowance is how many offsets of a span may be without a row: the consumer counted that many events there as dropped
// by a step, or as lost.
//
// Ranges overlap where the group's offset was set back, because a step then counts an event a second time. So dropped
// is the most that it may have dropped, and least is what it dropped at least.
type allowance struct {
	span
	dropped, least, gap int64
}

// merged sorts allowances, and joins those that overlap.
func merged(all []allowance) []allowance {
	slices.SortFunc(all, func(a, b allowance) int { return cmp.Compare(a.first, b.first) })
	var out []allowance
	for from := 0; from < len(all); {
		one, to := all[from], from+1
		for ; to < len(all) && all[to].first <= one.last; to++ {
			one.last = max(one.last, all[to].last)
			one.dropped, one.gap = one.dropped+all[to].dropped, one.gap+all[to].gap
		}
		one.least = leastDropped(all[from:to])
		out, from = append(out, one), to
	}
	return out
}

// leastDropped is the largest number of dropped events in ranges that do not overlap: these are different events.
func leastDropped(all []allowance) int64 {
	slices.SortFunc(all, func(a, b allowance) int { return cmp.Compare(a.last, b.last) })
	best := make([]int64, len(all)+1) // of the first ranges
	for i, a := range all {
		before, _ := slices.BinarySearchFunc(all[:i], a.first, func(b allowance, first int64) int {
			return cmp.Compare(b.last, first)
		})
		best[i+1] = max(best[i], best[before]+a.dropped)
	}
	return best[len(all)]
}

// divide divides the spans of offsets without a row among allowances. Both are sorted and do not overlap. It calls each
// with an allowance and all spans within it, once, or with nil and one span outside of all. An error ends it.
func divide(spans iter.Seq2[span, error], among []allowance, each func(*allowance, []span) error) error {
	var within []span // of among[0]
	finish := func() error {
		var err error
		if len(within) > 0 {
			err = each(&among[0], within)
		}
		among, within = among[1:], within[:0]
		return err
	}
	for s, err := range spans {
		if err != nil {
			return err
		}
		for s.first <= s.last {
			part := s
			switch {
			case len(among) > 0 && among[0].last < s.first:
				if err := finish(); err != nil {
					return err
				}
				continue
			case len(among) > 0 && among[0].first <= s.first:
				part.last = min(s.last, among[0].last)
				within = append(within, part)
			default:
				if len(among) > 0 {
					part.last = min(s.last, among[0].first-1)
				}
				if err := each(nil, []span{part}); err != nil {
					return err
				}
			}
			s.first = part.last + 1
		}
	}
	if len(among) > 0 {
		return finish()
	}
	return nil
}

// chunks yields the offsets of spans, at most size at a time. The slice is used again.
func chunks(spans []span, size int) iter.Seq[[]int64] {
	return func(yield func([]int64) bool) {
		offsets := make([]int64, 0, size)
		for _, s := range spans {
			for o := s.first; o <= s.last; o++ {
				if offsets = append(offsets, o); len(offsets) < size {
					continue
				}
				if !yield(offsets) {
					return
				}
				offsets = offsets[:0]
			}
		}
		if len(offsets) > 0 {
			yield(offsets)
		}
	}
}
