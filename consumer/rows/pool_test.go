package rows

import (
	"encoding/binary"
	"testing"
)

// A pool keeps empty blocks up to its size, and drops a block whose memory is much larger than its rows.
func TestPoolKeepsBlocks(t *testing.T) {
	b := NewPool(4 << 20)
	full := func(n int) *Block {
		out := New()
		out.texts[payload].append(make([]byte, n))
		return out
	}
	one := full(3 << 20)
	b.Put(one)
	if b.Get() != one || one.Rows() != 0 {
		t.Error("the block is not used again")
	}
	if b.Get() == one {
		t.Error("a block is used twice at once")
	}
	one.texts[payload].append(make([]byte, 100))
	b.Put(one)
	if len(b.spare) != 0 || b.kept != 0 {
		t.Error("a block that is far too large is kept")
	}
	for _, c := range []struct{ bytes, kept int }{{4<<20 - 1, 1}, {4 << 20, 1}, {4<<20 + 1, 0}} {
		one = full(c.bytes - binary.MaxVarintLen32 + 1) // with its length before it
		if n := one.Bytes(); n != c.bytes {
			t.Fatalf("%d bytes, not %d", n, c.bytes)
		}
		if b.Put(one); len(b.spare) != c.kept {
			t.Errorf("%d blocks of %d bytes are kept in a pool of 4 MiB", len(b.spare), c.bytes)
		}
		if c.kept == 1 && b.Get() != one || b.kept != 0 {
			t.Errorf("%d bytes are kept and not there", b.kept)
		}
	}
	older := full(3 << 20)
	b.Put(older)
	b.Put(full(2 << 20))
	if b.Get() == older || len(b.spare) != 0 {
		t.Error("it is not the oldest one that is let go")
	}
	roomy := full(1 << 20)
	roomy.texts[payload].buf = append(make([]byte, 0, 3<<20), roomy.texts[payload].buf...)
	if b.Put(roomy); b.kept != 3<<19 {
		t.Errorf("3 MiB with one in them count %d bytes, not half", b.kept)
	}
}
