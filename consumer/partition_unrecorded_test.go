package consumer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// A partition whose recorded ranges are lost, and that the table has rows of, asks and inserts nothing before all that
// an earlier owner has sent must have arrived. Its liveness is not at fault. It begins at once if nobody has inserted
// anything, or if there is nothing behind the offset.
func TestUnrecordedIsOutwaited(t *testing.T) {
	for name, c := range map[string]struct {
		head     int64
		metadata string
		rows     int64
		records  int
		waits    bool
	}{
		"deleted":                        {head: -1, rows: 10, records: 20, waits: true},
		"set":                            {head: 10, rows: 10, records: 20, waits: true},
		"unreadable":                     {head: 10, metadata: "of another program", rows: 10, records: 20, waits: true},
		"unreadable, and an empty table": {metadata: "of another program", records: 20, waits: true},
		"set to the end":                 {head: 20, rows: 10, records: 20},
		"unreadable at the end":          {head: 20, metadata: "of another program", rows: 20, records: 20},
		"nothing was ever inserted":      {head: -1, records: 20},
		"set before the first start":     {head: 5, records: 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorker(t)
				w.unrecorded = unrecordedAge
				w.topic.dropped = c.head > c.rows // the test passes records over on purpose
				w.topic.add(c.records)
				w.dealtWith(0, c.rows)
				w.topic.head, w.topic.metadata = c.head, c.metadata
				w.start()
				pass(unrecordedAge - time.Millisecond)
				if c.waits {
					assert.Empty(t, w.table.sent, "a millisecond before")
					assert.Equal(t, c.head, w.topic.at())
					assert.NoError(t, w.watch.Fault(w.progress.readable()))
					pass(2 * time.Second)
				}
				assert.EqualValues(t, c.records, w.topic.at())
			})
		})
	}
}
