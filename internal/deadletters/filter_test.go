package deadletters

import (
	"testing"
	"time"

	"sluice/internal/settings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func letter(partition int, offset int64) *Letter {
	return &Letter{
		Place: Place{partition, offset}, Reason: "malformed_json", Project: "shop", From: Place{partition + 3, offset * 2},
		At: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC),
	}
}

func moment(t *testing.T, text string) (m settings.Moment) {
	t.Helper()
	require.NoError(t, m.UnmarshalText([]byte(text)))
	return m
}

// TestFilter: a letter must match every setting that is given, and both ends of a range.
func TestFilter(t *testing.T) {
	for name, c := range map[string]struct {
		filter Filter
		want   bool
	}{
		"nothing given":          {Filter{}, true},
		"its reason":             {Filter{Reason: []string{"tombstone", "malformed_json"}}, true},
		"another reason":         {Filter{Reason: []string{"tombstone"}}, false},
		"its project":            {Filter{Project: []string{"shop"}}, true},
		"another project":        {Filter{Project: []string{"sho"}}, false},
		"one of two":             {Filter{Project: []string{"shop"}, Reason: []string{"tombstone"}}, false},
		"since just then":        {Filter{Since: moment(t, "2026-11-28T12:00:00Z")}, true},
		"since a moment later":   {Filter{Since: moment(t, "2026-11-28T12:00:00.001Z")}, false},
		"until just then":        {Filter{Until: moment(t, "2026-11-28T12:00:00Z")}, false},
		"until a moment later":   {Filter{Until: moment(t, "2026-11-28T12:00:00.001Z")}, true},
		"its place":              {Filter{At: []string{"1:17"}}, true},
		"its partition":          {Filter{At: []string{"0", "1"}}, true},
		"another partition":      {Filter{At: []string{"0", "2:17"}}, false},
		"the end of a range":     {Filter{At: []string{"1:10-17"}}, true},
		"the start of a range":   {Filter{At: []string{"1:17-20"}}, true},
		"a range that is before": {Filter{At: []string{"1:10-16"}}, false},
		"a range that is behind": {Filter{At: []string{"1:18-20"}}, false},
		"where it came from":     {Filter{From: []string{"4:30-34"}}, true},
		"from another offset":    {Filter{From: []string{"4:17"}}, false},
		"from another partition": {Filter{At: []string{"1"}, From: []string{"1"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, c.filter.Check())
			assert.Equal(t, c.want, c.filter.Matches(letter(1, 17)))
		})
	}
	none := Filter{}
	assert.True(t, none.IsZero())
	assert.False(t, (&Filter{From: []string{"0"}}).IsZero())
	assert.False(t, (&Filter{Since: moment(t, "1h")}).IsZero())
}

// TestFilterFaults: each fault is named, and all of them at once.
func TestFilterFaults(t *testing.T) {
	f := Filter{
		Reason: []string{"bad_luck"}, At: []string{"", "x", "-1", "1:", "1:-1", "1:5-4", "1:5-", "1:2:3"},
		Since: moment(t, "1h"), Until: moment(t, "2h"), From: []string{"7:x"},
	}
	err := f.Check()
	for _, want := range append([]string{"bad_luck", "malformed_json", "--since must be before", "--at: ", `--from: "7:x"`}, f.At...) {
		assert.ErrorContains(t, err, want)
	}
	for _, text := range []string{"", "yesterday", "-1h", "-1d", "d", "2026-11-28"} {
		assert.Error(t, new(settings.Moment).UnmarshalText([]byte(text)), text)
	}
	day := moment(t, "1.5d")
	assert.WithinDuration(t, time.Now().Add(-36*time.Hour), day.Time, time.Minute)
}
