package rows

import (
	"fmt"
	"testing"
)

// filled returns a block from a pool, with a number of rows of about 200 bytes.
func filled(t *testing.T, p *Pool, rows int) *Block {
	t.Helper()
	out := p.Get()
	for n := range rows {
		appendEvent(t, out, int64(n), fmt.Sprintf(`{"message":"request %d failed after 3 tries","level":"warning","environment":"production","release":"1.4.%d",`+
			`"server_name":"host-%d","user":{"id":"u-%d"},"tags":{"region":"eu-%d"}}`, n, n%20, n%50, n, n%4))
	}
	return out
}

// A block with fresh memory, filled like the last block, allocates hardly more than it needs.
func TestBlocksKnowTheirSize(t *testing.T) {
	b := NewPool(0) // keeps no block: all memory is fresh
	const rows = 20_000
	first := filled(t, b, rows)
	bytes := first.Bytes()
	b.Put(first)
	second := filled(t, b, rows)
	if first == second {
		t.Fatal("the block was kept")
	}
	if memory := second.memory(); memory < bytes || memory > bytes+bytes/8 {
		t.Errorf("%d bytes of memory for %d bytes", memory, bytes)
	}
	for _, less := range []int{1, 100, rows / 3} {
		small := filled(t, b, less)
		if memory, used := small.memory(), small.Bytes(); memory > 2*used+32*64 {
			t.Errorf("%d rows: %d bytes of memory for %d bytes", less, memory, used)
		}
	}
	for range 100 {
		b.Put(filled(t, b, 10))
	}
	if b.sizes.rows > 100 {
		t.Errorf("%d rows are still expected", b.sizes.rows)
	}
}

func TestEnlarge(t *testing.T) {
	for _, c := range []struct{ len, more, expect, want int }{
		{0, 1, 0, 1}, {0, 10, 0, 10}, {4, 1, 0, 8}, {4, 9, 0, 13}, {4, 1, 100, 8}, {51, 1, 100, 100}, {99, 1, 100, 100}, {49, 51, 100, 100}, {49, 52, 100, 101}, {99, 2, 100, 125}, {100, 1, 100, 125}, {199, 1, 100, 248}, {200, 1, 100, 400}, {10, 200, 100, 210},
	} {
		if got := enlarge(make([]byte, c.len), c.more, c.expect); len(got) != c.len || cap(got) != c.want {
			t.Errorf("%+v: %d of %d", c, len(got), cap(got))
		}
	}
}
