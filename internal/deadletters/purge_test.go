package deadletters

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// contents are the letters that the topic has, each as all that it has but its place, with how often it is there.
func (d *Desk) contents(t *testing.T) map[string]int {
	t.Helper()
	all := map[string]int{}
	for l, err := range d.Letters(t.Context(), &Filter{}) {
		require.NoError(t, err)
		all[fmt.Sprint(l.Place.Partition, l.Reason, l.Topic, l.From, l.Project, string(l.Key), string(l.Value), l.all)]++
	}
	return all
}

// isErased covers letters whose value says so.
func isErased(l *Letter) bool { return strings.HasPrefix(string(l.Value), "erase") }

// mixed writes letters to erase among others: at the beginning, in the middle, twice in a row, and never on partition 2.
func (d *Desk) mixed(t *testing.T) (others map[string]int) {
	t.Helper()
	d.die(t, 2, 3, "keep")
	d.die(t, 1, 1, "erase")
	d.die(t, 1, 2, "keep")
	others = d.contents(t)
	for key := range others {
		if strings.Contains(key, "erase") {
			delete(others, key)
		}
	}
	d.die(t, 0, 2, "erase")
	d.die(t, 1, 2, "erase")
	return others
}

// TestPurge: letters that are meant are gone, and the others are there once, with everything that they had.
func TestPurge(t *testing.T) {
	d := newDesk(t)
	others := d.mixed(t)
	d.die(t, 0, maxBatchRecords+1, "other")
	d.die(t, 0, 1, "erase, the last")
	d.die(t, 0, 1, "behind")
	wanted := d.contents(t)
	for key := range wanted {
		if strings.Contains(key, "erase") {
			delete(wanted, key)
		}
	}
	for key := range others {
		assert.Contains(t, wanted, key)
	}
	got, err := d.Purge(t.Context(), isErased)
	require.NoError(t, err)
	assert.Equal(t, Purged{Removed: 6, Moved: 2 + maxBatchRecords + 1}, got)
	assert.Equal(t, wanted, d.contents(t))
	end, err := d.extents(t.Context(), d.conn.DeadTopic)
	require.NoError(t, err)
	assert.Zero(t, end[2].first, "a partition without such letters is left alone")

	got, err = d.Purge(t.Context(), isErased)
	require.NoError(t, err)
	assert.Equal(t, Purged{}, got, "nothing is left to do")
	assert.Equal(t, wanted, d.contents(t))
	n := 0
	for l, err := range d.Letters(t.Context(), &Filter{}) {
		require.NoError(t, err)
		n += len(l.Headers) - 2 // they can be replayed as before
	}
	assert.Zero(t, n)
}

// TestPurgeInterrupted: a purge that ends between the copies and the removal has lost nothing, and the next one leaves
// each letter once.
func TestPurgeInterrupted(t *testing.T) {
	d, fake := newDeskOn(t)
	others := d.mixed(t)
	failed := 0
	fake.ControlKey(int16(kmsg.DeleteRecords), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if failed++; failed <= 2 {
			return nil, errors.New("away"), true
		}
		return nil, nil, false
	})
	for range 2 {
		_, err := d.Purge(t.Context(), isErased)
		require.Error(t, err)
		now := d.contents(t)
		for key := range others {
			assert.GreaterOrEqual(t, now[key], 1, "lost: %s", key)
		}
	}
	_, err := d.Purge(t.Context(), isErased)
	require.NoError(t, err)
	assert.Equal(t, others, d.contents(t))
}
