package strictjson

import "testing"

// FuzzPlainRun compares the eight-at-a-time loop with the table.
func FuzzPlainRun(f *testing.F) {
	f.Add([]byte("0123456789abcdef"))
	f.Add([]byte("\x7f\x7f\x7f\x7f\x7f\x7f\x7f\"\x80\x1f\\"))
	f.Fuzz(func(t *testing.T, b []byte) {
		want := 0
		for want < len(b) && isPlain[b[want]] {
			want++
		}
		if got := plainRun(b); got != want {
			t.Fatalf("%x: %d, want %d", b, got, want)
		}
	})
}
