package deadletters

import (
	"fmt"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"sluice/internal/kafkaconn"
)

// newDesk returns a desk on a broker with the two topics.
func newDesk(t *testing.T) *Desk {
	t.Helper()
	d, _ := newDeskOn(t)
	return d
}

// newDeskOn also returns the broker.
func newDeskOn(t *testing.T) (*Desk, *kfake.Cluster) {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "events", "events.dead"))
	require.NoError(t, err)
	t.Cleanup(fake.Close)
	d, closeDesk, err := New(kafkaconn.Config{Brokers: fake.ListenAddrs(), Topic: "events", DeadTopic: "events.dead"})
	require.NoError(t, err)
	t.Cleanup(closeDesk)
	return d, fake
}

// die writes dead letters whose records came from a partition.
func (d *Desk) die(t *testing.T, partition, n int, value string) {
	t.Helper()
	for i := range n {
		resp, err := d.client.Produce(t.Context(), &kafka.ProduceRequest{
			Topic: d.conn.DeadTopic, Partition: partition, RequiredAcks: kafka.RequireAll,
			Records: kafka.NewRecordReader(kafka.Record{
				Value: kafka.NewBytes([]byte(value)),
				Headers: []kafka.Header{
					{Key: "project", Value: []byte("shop")}, {Key: "other", Value: []byte{0xFF}},
					{Key: headerReason, Value: []byte("malformed_json")}, {Key: headerTopic, Value: []byte("events")},
					{Key: headerPartition, Value: fmt.Append(nil, partition+3)}, {Key: headerOffset, Value: fmt.Append(nil, i)},
				},
			}),
		})
		require.NoError(t, err)
		require.NoError(t, resp.Error)
	}
}

// TestReplayBatches: letters are replayed in batches within the bounds of a batch, to the partition that they came from
// or, if the topic has fewer, to another; with their own headers and no other.
func TestReplayBatches(t *testing.T) {
	d := newDesk(t)
	const n = maxBatchRecords
	d.die(t, 1, n+1, "x")
	d.die(t, 2, 3, strings.Repeat("y", maxBatchBytes/2))
	run, err := d.NewReplay(t.Context(), 0)
	require.NoError(t, err)
	for l, err := range d.Letters(t.Context(), &Filter{}) {
		require.NoError(t, err)
		require.NoError(t, run.Add(t.Context(), l))
	}
	require.NoError(t, run.Flush(t.Context()))
	require.NoError(t, run.Flush(t.Context()), "nothing is left")
	assert.Equal(t, n+1+3, run.Written())
	all, err := d.extents(t.Context(), "events")
	require.NoError(t, err)
	assert.Equal(t, []extent{{0, 0, 0}, {1, 0, n + 1}, {2, 0, 3}}, all)

	resp, err := d.client.Fetch(t.Context(), &kafka.FetchRequest{Topic: "events", Partition: 1, MinBytes: 1, MaxBytes: 1 << 20})
	require.NoError(t, err)
	r, err := resp.Records.ReadRecord()
	require.NoError(t, err)
	assert.Nil(t, r.Key)
	assert.Equal(t, []kafka.Header{{Key: "project", Value: []byte("shop")}, {Key: "other", Value: []byte{0xFF}}}, r.Headers)
}

// TestLettersStop: the caller may stop at any letter, and letters that come later are left out.
func TestLettersStop(t *testing.T) {
	d := newDesk(t)
	d.die(t, 0, 3, "x")
	d.die(t, 2, 3, "x")
	seen := 0
	for l, err := range d.Letters(t.Context(), &Filter{}) {
		require.NoError(t, err)
		if seen++; l.Place == (Place{2, 0}) {
			break
		}
		if seen == 1 {
			d.die(t, 0, 5, "later")
		}
	}
	assert.Equal(t, 4, seen)
	n, err := d.Count(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 11, n)
}

// TestReplayRate: no more letters are written at once than a second may have. A stranger's places do no harm.
func TestReplayRate(t *testing.T) {
	d := newDesk(t)
	d.die(t, 1, 5, "x")
	for perSecond, want := range map[int][]int{
		0: {5}, 4: {4, 1}, 5: {5}, 6: {5}, maxBatchRecords + 1: {5},
	} {
		run, err := d.NewReplay(t.Context(), perSecond)
		require.NoError(t, err)
		if perSecond > 0 {
			run.limit.SetLimit(1e6)
		}
		var batches []int
		for l, err := range d.Letters(t.Context(), &Filter{}) {
			require.NoError(t, err)
			before := run.Written()
			require.NoError(t, run.Add(t.Context(), l))
			if n := run.Written() - before; n > 0 {
				batches = append(batches, n)
			}
		}
		before := run.Written()
		require.NoError(t, run.Flush(t.Context()))
		assert.Equal(t, want, append(batches, run.Written()-before), "%d a second", perSecond)
	}
	var stranger Letter
	stranger.note(headerPartition, "-5")
	stranger.note(headerOffset, "-1")
	assert.Equal(t, Place{}, stranger.From)
}
