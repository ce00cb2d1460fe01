package kafka

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The leader says where an epoch ended. The topic has an id, and another one after it was deleted and made again.
func TestLineage(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 2)
	b.put(t, 1, numbered(0), numbered(1), numbered(2))
	_, at, err := b.read(t, 1, 0)
	require.NoError(t, err)
	require.NotZero(t, at.Term)
	first, err := b.Lineage(t.Context(), 1, at.Term)
	require.NoError(t, err)
	require.Equal(t, int64(3), first.End)
	require.NotZero(t, first.Topic)
	got, err := b.Lineage(t.Context(), 1, 0)
	require.NoError(t, err)
	assert.Equal(t, Lineage{Topic: first.Topic, End: -1}, got, "without a term")
	_, err = b.Lineage(t.Context(), 99, at.Term)
	assert.Error(t, err, "a partition that does not exist")
	b.Recreate(t)
	again, err := b.Lineage(t.Context(), 1, 0)
	require.NoError(t, err)
	assert.NotEqual(t, first.Topic, again.Topic)
	assert.NotZero(t, again.Topic)
}

// An answer that is cut short anywhere is an error.
func TestLineageAnswersCutShort(t *testing.T) {
	t.Parallel()
	epoch := []byte{0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 'e', 0, 0, 0, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 42}
	end, err := epochResponse(epoch)
	require.NoError(t, err)
	assert.Equal(t, int64(42), end)
	topic := append([]byte{
		0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 2, 'h', 0, 0, 0x23, 0x84, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 2, 'e',
	}, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
	id, err := topicResponse(topic)
	require.NoError(t, err)
	assert.Equal(t, uuid.UUID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, id)
	for n := range len(epoch) {
		_, err := epochResponse(epoch[:n])
		assert.Error(t, err, "the end of an epoch in %d bytes", n)
	}
	for n := range len(topic) {
		_, err := topicResponse(topic[:n])
		assert.Error(t, err, "a topic's id in %d bytes", n)
	}
}
