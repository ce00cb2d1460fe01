package kafka

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A commit counts only if it comes from the member that owns the partition in this generation. Any other commit changes nothing, and its
// error makes a partition stop.
func TestCommit(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 2)
	m := b.joined(t)
	require.NoError(t, b.Commit(t.Context(), m, 1, 5, "what is recorded"))
	assert.Equal(t, int64(5), b.Broker.Committed(t, "sluice", 1))
	assert.Equal(t, int64(-1), b.Broker.Committed(t, "sluice", 0))
	offset, metadata, err := b.Client.Committed(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, int64(5), offset)
	assert.Equal(t, "what is recorded", metadata)
	offset, metadata, err = b.Client.Committed(t.Context(), 0)
	require.NoError(t, err)
	assert.Negative(t, offset, "nothing was committed")
	assert.Empty(t, metadata)
	for name, other := range map[string]Member{
		"an older generation":     {m.ID, m.Generation - 1, m.Partitions},
		"a newer generation":      {m.ID, m.Generation + 1, m.Partitions},
		"another member":          {"somebody", m.Generation, m.Partitions},
		"not of the generation's": {m.ID, m.Generation, []int{0, 2}}, // which the broker would not notice
	} {
		assert.ErrorIs(t, b.Commit(t.Context(), other, 1, 9, ""), ErrNotOwner, name)
	}
	assert.Equal(t, int64(5), b.Broker.Committed(t, "sluice", 1), "a refused commit moved the offset")
}

// An offset whose metadata cannot be read is an error, and not an offset without metadata.
func TestCommittedErrors(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	for _, code := range []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.UnstableOffsetCommit} {
		fault := b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: code, Count: -1})
		_, _, err := b.Client.Committed(t.Context(), 0)
		fault.Remove()
		assert.Error(t, err, code.Message)
	}
}

// Some refusals say that the partition is lost. After the others the broker must be asked again.
func TestCommitErrors(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	m := b.joined(t)
	for code, lost := range map[*kerr.Error]bool{
		kerr.IllegalGeneration: true, kerr.UnknownMemberID: true, kerr.RebalanceInProgress: true, kerr.FencedInstanceID: true,
		kerr.CoordinatorLoadInProgress: false, kerr.NotCoordinator: false, kerr.RequestTimedOut: false, kerr.CoordinatorNotAvailable: false,
	} {
		fault := b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: code, Count: -1})
		err := b.Commit(t.Context(), m, 0, 1, "")
		fault.Remove()
		if lost {
			assert.ErrorIs(t, err, ErrNotOwner, code.Message)
		} else {
			assert.Error(t, err, code.Message)
			assert.NotErrorIs(t, err, ErrNotOwner, code.Message)
		}
	}
}
