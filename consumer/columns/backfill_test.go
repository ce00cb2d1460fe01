package columns

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
)

// manyDays inserts an event of each of some days, so that the table has as many partitions.
func manyDays(t *testing.T, d *clickhousetest.Database, days int) {
	t.Helper()
	d.Ask(fmt.Sprintf("INSERT INTO events_raw (project_id, event_id, id_time, received_at, payload) SELECT 'demo', generateUUIDv4(), "+
		"now() - toIntervalDay(number), now(), %s FROM numbers(%d)", "'"+pro+"'", days))
}

// cancelling cancels when something was written that has a text.
type cancelling struct {
	bytes.Buffer
	at     string
	cancel context.CancelFunc
}

func (c *cancelling) Write(b []byte) (int, error) {
	if strings.Contains(string(b), c.at) {
		c.cancel()
	}
	return c.Buffer.Write(b)
}

// A backfill shows how far it is. One that is interrupted ends with what it has begun, and another goes on.
func TestInterruptedBackfill(t *testing.T) {
	t.Parallel()
	d := clickhousetest.Migrated(t)
	const days = 2*batchPartitions + 3
	manyDays(t, d, days)
	add(t, d, "plan", "String", "contexts.account.plan", AddOptions{NoBackfill: true})
	ctx, cancel := context.WithCancel(t.Context())
	m, _ := manager(d.Native(), false)
	progress := &cancelling{at: fmt.Sprintf("backfill of plan: %d of %d parts done", batchPartitions, days), cancel: cancel}
	m.progress = progress
	err := m.Backfill(ctx, "plan")
	require.ErrorContains(t, err, fmt.Sprintf("interrupted with %d of %d parts backfilled: `consumer columns backfill plan` goes on", batchPartitions, days))
	require.Contains(t, progress.String(), fmt.Sprintf("backfill of plan: 0 of %d parts done\n", days))
	require.Contains(t, []int{batchPartitions, 2 * batchPartitions}, listed(t, d.Native())[0].Stored)
	d.Asks("SELECT count() FROM events WHERE plan = 'pro'", fmt.Sprint(days))

	d.Ask("SYSTEM STOP MERGES " + d.Name + ".events_raw") // interrupted while a mutation waits
	ctx, cancel = context.WithCancel(t.Context())
	m.progress = &cancelling{at: "backfill of plan: 0", cancel: cancel}
	require.ErrorContains(t, m.Backfill(ctx, "plan"), "interrupted with 0 of")
	d.Ask("SYSTEM START MERGES " + d.Name + ".events_raw")

	m, out := manager(d.Native(), true)
	m.progress = &bytes.Buffer{}
	require.NoError(t, m.Backfill(t.Context(), "plan"))
	require.Contains(t, out.String(), fmt.Sprintf(`"parts":%d,"parts_stored":%d}`, days, days))
	d.Asks("SELECT count() FROM events WHERE plan = 'pro'", fmt.Sprint(days))
	d.Asks("SELECT count() FROM system.mutations WHERE database = currentDatabase() AND NOT is_done", "0")
}

// A column may be removed while its backfill waits. No mutation is left that could hold up others.
func TestRemoveDuringBackfill(t *testing.T) {
	t.Parallel()
	d := clickhousetest.Migrated(t)
	manyDays(t, d, 3)
	add(t, d, "plan", "String", "contexts.account.plan", AddOptions{NoBackfill: true})
	d.Ask("SYSTEM STOP MERGES " + d.Name + ".events_raw")
	d.Ask("ALTER TABLE events_raw MATERIALIZE COLUMN plan SETTINGS mutations_sync = 0")
	m, out := manager(d.Native(), false)
	require.NoError(t, m.Remove(t.Context(), "plan", true))
	require.Contains(t, out.String(), "KILL MUTATION WHERE")
	done := make(chan error)
	go func() { done <- m.Remove(t.Context(), "plan", false) }()
	d.Until("SELECT count() FROM system.mutations WHERE database = currentDatabase() AND command LIKE '%MATERIALIZE COLUMN%' AND NOT is_killed", "0")
	d.Ask("SYSTEM START MERGES " + d.Name + ".events_raw")
	require.NoError(t, <-done)
	d.Asks("SELECT count() FROM system.mutations WHERE database = currentDatabase() AND NOT is_done", "0")
	d.Asks("SELECT count() FROM events", "3")
	d.Ask("ALTER TABLE events_raw DELETE WHERE project_id = 'demo' SETTINGS mutations_sync = 1")
	d.Asks("SELECT count() FROM events", "0")
}

// A backfill that ClickHouse cannot carry out ends with its reason, and leaves no mutation behind.
func TestFailedBackfill(t *testing.T) {
	t.Parallel()
	d := clickhousetest.Migrated(t)
	manyDays(t, d, 2)
	d.Ask("ALTER TABLE events_raw ADD COLUMN odd UInt8 MATERIALIZED throwIf(project_id = 'demo', 'it cannot be') COMMENT 'custom column: a of the payload'")
	m, _ := manager(d.Native(), false)
	err := m.Backfill(t.Context(), "odd")
	require.ErrorContains(t, err, "cannot backfill the column odd")
	require.ErrorContains(t, err, "it cannot be")
	d.Asks("SELECT count() FROM system.mutations WHERE database = currentDatabase() AND NOT is_done AND NOT is_killed", "0")
	d.Ask("ALTER TABLE events_raw MODIFY COLUMN odd UInt8 MATERIALIZED 7 COMMENT 'custom column: a of the payload'")
	require.NoError(t, m.Backfill(t.Context(), "odd"))
	d.Asks("SELECT DISTINCT odd FROM events_raw", "7")
}
