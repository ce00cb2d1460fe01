package rows

// sizes is how large recent blocks became. A block with fresh memory may become as large.
type sizes struct {
	rows  int
	texts []int // bytes of the columns of Block.all
}

// learn notes how large a block became. Larger blocks of before fade.
func (s *sizes) learn(b *Block) {
	if s.texts == nil {
		s.texts = make([]int, len(b.all))
	}
	s.rows = fading(s.rows, b.Rows())
	for i, c := range b.all {
		s.texts[i] = fading(s.texts[i], len(c.buf))
	}
}

// fading is seven eighths of the value before, or the value now and a sixteenth more, whichever is larger.
func fading(before, now int) int { return max(now+now/16, before-before/8) }

// expect tells a block how large it may become.
func (s *sizes) expect(b *Block) {
	b.expect = s.rows
	for i, n := range s.texts {
		b.all[i].expect = n
	}
}

// enlarge returns a copy of s with room for n more items. It doubles the capacity, but does not exceed the expected
// number of items. If there are a few more items than expected, it adds a quarter. append would make a large slice a
// quarter larger each time, which copies the slice five times in all.
func enlarge[T any](s []T, n, expect int) []T {
	size, all := 2*len(s), len(s)+n
	switch {
	case all <= expect:
		size = min(size, expect)
	case len(s) < 2*expect:
		size = min(size, max(len(s), expect)*5/4)
	}
	return append(make([]T, 0, max(size, all)), s...)
}
