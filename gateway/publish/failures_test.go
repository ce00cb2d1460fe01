package publish

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// A cause is new once, however long it goes on, and again after a quiet minute or a whole outage.
func TestFailuresAreNewOnce(t *testing.T) {
	t.Parallel()
	var f failures
	now := time.Unix(1_800_000_000, 0)
	for n := range 10_000 {
		assert.Equal(t, n == 0, f.isNew("timeout", now))
		now = now.Add(failuresQuiet)
	}
	assert.True(t, f.isNew("refused", now))
	assert.False(t, f.isNew("timeout", now))
	now = now.Add(failuresQuiet + 1)
	assert.True(t, f.isNew("timeout", now), "after a quiet minute")
	f.forget()
	assert.True(t, f.isNew("timeout", now), "after an outage of all")
}
