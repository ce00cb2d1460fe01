package projects

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestOne: a set of one project knows each of its keys, and no other.
func TestOne(t *testing.T) {
	set := One("demo", "a-key", "key")
	assert.Equal(t, 1, set.Len())
	assert.Equal(t, 2, set.Keys())
	for _, key := range []string{"a-key", "key"} {
		number, known := set.Lookup([]byte(key))
		assert.True(t, known, key)
		assert.Equal(t, "demo", set.Project(number).ID)
	}
	_, known := set.Lookup([]byte("a"))
	assert.False(t, known)
}
