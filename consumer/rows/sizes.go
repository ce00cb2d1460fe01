package rows

// Sizes is how large blocks have lately been: the next one may come to as much. It is known of a block whose memory must be fresh.
type Sizes struct {
	rows  int
	texts []int // bytes of block.all
}

// Learn notes how large a block became. What was larger before is forgotten little by little.
func (s *Sizes) Learn(b *Block) {
	if s.texts == nil {
		s.texts = make([]int, len(b.all))
	}
	s.rows = fading(s.rows, b.Rows())
	for i, c := range b.all {
		s.texts[i] = fading(s.texts[i], len(c.buf))
	}
}

// fading is the larger of what is there now, and some more, and most of what was before.
func fading(before, now int) int { return max(now+now/16, before-before/8) }

// Expect tells a block.
func (s *Sizes) Expect(b *Block) {
	b.expect = s.rows
	for i, n := range s.texts {
		b.all[i].expect = n
	}
}

// enlarge makes room for n more items in s: for twice as many, or as many as are expected in all if that is less; for a quarter more if
// there are a few more than that. append itself would make any large slice a quarter larger each time, and copy it five times in all.
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
