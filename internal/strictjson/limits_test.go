package strictjson

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestLargeTextsLeaveNoMemory reads texts that need a lot of memory, and a small one behind each.
func TestLargeTextsLeaveNoMemory(t *testing.T) {
	const n = 174_000
	for name, raw := range map[string]string{
		"objects":       withMember("a", "["+strings.Repeat("{},", n)+"1]"),
		"pairs":         withMember("a", "["+strings.Repeat(`["a",1],`, n)+"1]"),
		"surrogates":    withMember("a", `"`+strings.Repeat(`\ud800`, n)+`"`),
		"escaped name":  withMember(strings.Repeat(`\u0061`, n), "1"),
		"escaped names": withMember("a", "{"+escapedNames(n)+"}"),
	} {
		var s Scanner
		mustRead(t, &s, raw)
		mustRead(t, &s, usual)
		if kept := max(cap(s.keys), cap(s.names), cap(s.seen), cap(s.open)); kept > keptCapacity {
			t.Errorf("%s: memory for %d items is kept", name, kept)
		}
	}
}

// escapedNames are n members whose names have an escape each.
func escapedNames(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"\u0061`)
		for ; i > 0; i /= 26 {
			b.WriteByte(byte('a' + i%26))
		}
		b.WriteString(`":0`)
	}
	return b.String()
}

func TestManyNames(t *testing.T) {
	object := func(n int, last string) string {
		var b strings.Builder
		b.WriteString("{")
		for i := range n {
			fmt.Fprintf(&b, `"%d":0,`, i)
		}
		b.WriteString(`"` + last + `":0}`)
		return b.String()
	}
	for _, n := range []int{1, pairwiseNames - 1, pairwiseNames, pairwiseNames + 1, 1000, 200_000} {
		var s Scanner
		start := time.Now()
		mustRead(t, &s, withMember("a", object(n, "x")))
		mustFail(t, &s, withMember("a", object(n, "0")), faultDuplicate)
		mustFail(t, &s, withMember("a", object(n, fmt.Sprint(n-1))), faultDuplicate)
		mustFail(t, &s, withMember("a", object(n, `\u0030`)), faultDuplicate)
		// It takes 3 s with the race detector. A comparison of all pairs of names takes several minutes.
		if took := time.Since(start); took > 2*time.Minute {
			t.Errorf("%d names took %v", n, took)
		}
	}
}

func mustFail(t *testing.T, s *Scanner, raw, want string) {
	t.Helper()
	if fault := read(s, raw); fault != want {
		t.Errorf("%.100q: %q, want %q", raw, fault, want)
	}
}
