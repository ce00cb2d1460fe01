package event

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// checkMemory checks that a decoder finds the same in a text, whatever it remembers of others.
func checkMemory(t *testing.T, d *Decoder, raw []byte) {
	t.Helper()
	var fresh, first, second Event
	want := new(Decoder).Decode(raw, &fresh)
	got := d.Decode(raw, &first)
	again := d.Decode(raw, &second)
	if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(again, want) {
		t.Fatalf("%q: %+v, then %+v, want %+v", raw, got, again, want)
	}
	if want != nil {
		return
	}
	for _, ev := range []*Event{&first, &second} {
		if got, want := fmt.Sprintf("%+v", *ev), fmt.Sprintf("%+v", fresh); got != want {
			t.Fatalf("%q: %s, want %s", raw, got, want)
		}
	}
}

// TestTrieChangesNothing decodes texts, whole and cut off anywhere, with a decoder that knows none and one that knows many.
func TestTrieChangesNothing(t *testing.T) {
	var d Decoder
	texts := [][]byte{event200, event345, event1400}
	for _, list := range []map[string]string{malformedJSON, oddButValid} {
		for _, raw := range list {
			texts = append(texts, []byte(raw))
		}
	}
	for range 2 {
		for _, raw := range texts {
			checkMemory(t, &d, raw)
			for cut := range min(len(raw), 1500) {
				checkMemory(t, &d, raw[:cut])
			}
		}
	}
}

// TestTrieMutations decodes events whose members were exchanged, doubled or left out.
func TestTrieMutations(t *testing.T) {
	members := []string{
		`"message":"m"`, `"message":"other"`, `"level":"info"`, `"tags":{"a":"1","b":2}`, `"tags":{"a":"1","a":2}`, `"tags":{"b":"1","a":2,"c":{}}`,
		`"user":{"id":1,"email":"x"}`, `"user":{"email":"x","id":1}`, `"user":{"id":1,"id":1}`, `"a":1`, `"a" :1`, ` "a":1`, `"\u0061":1`, `"ab":1`, `"":1`,
		`"a234567890123456789":1`, `"a2345678901234567890":1`, `"a23456789012345678901":1`, `"\u00e9":1`, `"é":1`, `"messag\u0065":1`,
		`"stacktrace":[{"filename":"f","function":"g"},{"function":"g","filename":"f"},{"filename":"f","filename":"f"}]`,
		`"stacktrace":[{"filename":"f","function":"g"},{"filename":"f"},{}]`, `"sdk":{"name":"n"}`, `"exception":{"type":"T","value":"V"}`, `"exception":{"value":"V","x":[{"a":1,"a":1}]}`,
	}
	var d Decoder
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		n := 1 + rnd.IntN(6)
		picked := make([]string, n)
		for i := range picked {
			picked[i] = members[rnd.IntN(len(members))]
		}
		checkMemory(t, &d, []byte("{"+strings.Join(picked, ",")+"}"))
	}
}
