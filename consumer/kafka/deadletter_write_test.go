package kafka

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"sluice/internal/recordbatch"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Dead letters are on their topic as they should be, also that of the largest record of the events topic.
func TestWrite(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 4) // the dead-letter topic has three partitions, so the fourth partition's letters go to the first one
	huge := recordbatch.Record{
		Offset: 7, Key: bytes.Repeat([]byte("k"), 10_000), Value: bytes.Repeat([]byte{0xFF}, 2<<20), Headers: numbered(1).Headers,
	}
	require.NoError(t, b.Client.Write(t.Context(), 3, []DeadLetter{letter(huge), letter(recordbatch.Record{Offset: 8})}))
	got := b.DeadLetters(t, 2)
	assert.True(t, bytes.Equal(got[0].Value, huge.Value), "a value of %d bytes", len(got[0].Value))
	assert.True(t, bytes.Equal(got[0].Key, huge.Key))
	assert.Nil(t, got[1].Value)
	assert.Nil(t, got[1].Key)
	assert.Zero(t, got[0].Partition)
	var headers []string
	for _, h := range got[0].Headers {
		headers = append(headers, h.Key+"="+string(h.Value))
	}
	all := strings.Join(headers, " ")
	for _, want := range []string{
		"v=1", "project=demo", "dead-reason=malformed_json", "dead-topic=events", "dead-partition=3", "dead-offset=7",
		"dead-error=malformed_json: x", "dead-at=",
	} {
		assert.Contains(t, all, want)
	}
}

// A record that was small when compressed can be larger than a topic takes uncompressed. It must fit as a dead letter all the same, or
// its partition would wait for ever.
func TestWriteWhatWasCompressed(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	bomb := recordbatch.Record{Offset: 7, Value: bytes.Repeat([]byte("x"), 6<<20)}
	require.NoError(t, b.Client.Write(t.Context(), 0, []DeadLetter{letter(bomb)}))
	assert.True(t, bytes.Equal(b.DeadLetters(t, 1)[0].Value, bomb.Value))
}

// Many dead letters take several writes, each with acks=all, and none larger than the topic takes, even if nothing can be compressed.
func TestWriteInBatches(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	var mu sync.Mutex
	var sizes []int
	b.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.KeepControl()
		req := r.(*kmsg.ProduceRequest)
		mu.Lock()
		defer mu.Unlock()
		assert.Equal(t, int16(-1), req.Acks)
		sizes = append(sizes, len(req.Topics[0].Partitions[0].Records))
		return nil, nil, false
	})
	require.NoError(t, b.Client.Write(t.Context(), 0, noisyLetters(50)))
	mu.Lock()
	defer mu.Unlock()
	assert.Len(t, sizes, 3)
	assert.LessOrEqual(t, slices.Max(sizes), maxDeadBatch+100_000)
	checkNoisyLetters(t, b, 50)
}

// If the dead-letter topic takes less than a batch, its records are written one by one. The error of a record that is too large alone
// names the topic, and its hint names the setting.
func TestWriteWhatTheTopicTakes(t *testing.T) {
	t.Parallel()
	const most = 300_000
	b := newBroker(t, 1)
	b.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.KeepControl()
		req := r.(*kmsg.ProduceRequest)
		if len(req.Topics[0].Partitions[0].Records) <= most {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic, topic.TopicID = req.Topics[0].Topic, req.Topics[0].TopicID
		part := kmsg.NewProduceResponseTopicPartition()
		part.Partition, part.ErrorCode = req.Topics[0].Partitions[0].Partition, kerr.MessageTooLarge.Code
		topic.Partitions = append(topic.Partitions, part)
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	require.NoError(t, b.Client.Write(t.Context(), 0, noisyLetters(20)))
	checkNoisyLetters(t, b, 20)
	err := b.Client.Write(t.Context(), 0, []DeadLetter{letter(recordbatch.Record{Offset: 20, Value: noise(20, most+1)})})
	require.ErrorContains(t, err, "events.dead")
	assert.Contains(t, Hint(err), "max.message.bytes")
}

// noisyLetters are letters of 100 kB each that do not compress.
func noisyLetters(n int) (letters []DeadLetter) {
	for i := range n {
		letters = append(letters, letter(recordbatch.Record{Offset: int64(i), Value: noise(byte(i), 100_000)}))
	}
	return letters
}

func checkNoisyLetters(t *testing.T, b *broker, n int) {
	t.Helper()
	for i, r := range b.DeadLetters(t, n) {
		require.Len(t, r.Value, 100_000, "letter %d", i)
		assert.Equal(t, byte(i), r.Value[0], "letter %d", i)
	}
}

// noise is bytes that do not compress, the first of which is i.
func noise(i byte, n int) []byte {
	out := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{i}).Read(out)
	out[0] = i
	return out
}

// Write fails if the broker did not acknowledge a letter. The error of a missing topic says what to do.
func TestWriteFails(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	letters := []DeadLetter{letter(recordbatch.Record{})}
	for _, code := range []*kerr.Error{kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.NotLeaderForPartition, kerr.MessageTooLarge} {
		b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: code})
		assert.Error(t, b.Client.Write(t.Context(), 0, letters), code.Message)
	}
	require.NoError(t, b.DeleteTopic("events.dead"))
	eventually(t, "the topic is missed", func() bool {
		err := b.Client.Write(t.Context(), 0, letters)
		return err != nil && strings.Contains(err.Error(), "events.dead") && strings.Contains(err.Error(), "sluice topics apply")
	})
}
