package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestEvents(t *testing.T) {
	start := time.Now()
	for _, size := range []int{1, 200, 215, 230, 300, 470, 700, 1400, 20_000, maxEventBytes} {
		g := newGenerator(42, start, size)
		fixed := newGenerator(42, start, 0)
		levels, versions, n := map[string]int{}, map[uuid.Version]int{}, int64(400)
		if size > 2000 {
			n = 10
		}
		for i := range n {
			event := g.append([]byte("prefix"), i)[len("prefix"):]
			if again := g.append(nil, i); !bytes.Equal(event, again) {
				t.Fatalf("event %d differs the second time:\n%s\n%s", i, event, again)
			}
			least := len(fixed.append(nil, i))
			if least > fixedBytes || len(event) > max(size, least) || len(event) < size-len(`,"note":""`)-1 {
				t.Errorf("size %d: event of %d bytes, %d of them fixed", size, len(event), least)
			}
			if !json.Valid(event) {
				t.Fatalf("not JSON: %s", event)
			}
			got, want := toRow(t, event), g.expect(i)
			if got.id != want.id || got.message != want.message || got.level != want.level || got.environment != want.environment || got.millis != want.millis {
				t.Errorf("a reader finds\n%+v, the verifier wants\n%+v", got, want)
			}
			if age := start.Sub(time.UnixMilli(got.millis)); age < -time.Millisecond || age > spread+time.Millisecond {
				t.Errorf("event is %v old", age)
			}
			levels[got.level]++
			versions[got.id.Version()]++
		}
		if n == 400 && (len(levels) != 5 || versions[7] < 300 || versions[4] < 25) {
			t.Errorf("levels %v, versions %v", levels, versions)
		}
	}
}

func TestIDsLeadBackToTheirIndex(t *testing.T) {
	start := time.Now()
	a, b, c := newIdentity(1, start), newIdentity(2, start), newIdentity(1, start.Add(time.Millisecond))
	seen := map[uuid.UUID]int64{}
	for i := range int64(100_000) {
		if i >= 50_000 {
			i = rand.Int64N(1 << 61)
		}
		id := a.id(i)
		if before, ok := seen[id]; ok && before != i {
			t.Fatalf("%d and %d have the same id", before, i)
		}
		seen[id] = i
		if index, ok := a.index(id); !ok || index != i {
			t.Fatalf("id of %d leads to %d, %t", i, index, ok)
		}
		for _, other := range []identity{b, c} {
			if _, ok := other.index(id); ok {
				t.Fatalf("another run claims the id of %d", i)
			}
		}
		if id.Variant() != uuid.RFC4122 {
			t.Fatalf("variant of %s", id)
		}
		id[rand.IntN(16)] ^= 1 << rand.IntN(8)
		if index, ok := a.index(id); ok && index == i {
			t.Fatalf("a changed id is still believed")
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{200, 1400} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			g := newGenerator(1, time.Now(), size)
			var buf []byte
			b.ReportAllocs()
			for i := int64(0); b.Loop(); i++ {
				buf = g.append(buf[:0], i)
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}
