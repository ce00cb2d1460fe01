package kafka

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Several partitions are committed with one request. One that is refused does not spoil the others.
func TestCommitAll(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 3)
	m := b.joined(t)
	m.Partitions = []int{0, 1}
	errs := b.CommitAll(t.Context(), m, []Offset{{0, 5, "zero"}, {2, 7, "not ours"}, {1, 6, "one"}})
	assert.NoError(t, errs[0])
	assert.ErrorIs(t, errs[1], ErrNotOwner)
	assert.NoError(t, errs[2])
	for partition, want := range []int64{5, 6, -1} {
		assert.Equal(t, want, b.Broker.Committed(t, "sluice", partition), "partition %d", partition)
	}
	assert.ErrorIs(t, b.CommitAll(t.Context(), m, []Offset{{2, 7, ""}})[0], ErrNotOwner, "nothing to send")
}

// Some errors say for certain that nothing was stored. After the others it may be, or may yet be.
func TestCommitRefused(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	m := b.joined(t)
	for code, refused := range map[*kerr.Error]bool{
		kerr.IllegalGeneration: true, kerr.NotCoordinator: true, kerr.CoordinatorLoadInProgress: true, kerr.OffsetMetadataTooLarge: true,
		kerr.UnknownTopicOrPartition: true, kerr.RequestTimedOut: false, kerr.CoordinatorNotAvailable: false,
	} {
		fault := b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: code, Count: -1})
		err := b.Commit(t.Context(), m, 0, 1, "")
		fault.Remove()
		require.Error(t, err, code.Message)
		assert.Equal(t, refused, Refused(err), code.Message)
	}
	assert.False(t, Refused(context.DeadlineExceeded))
}

// requests notes the commits of each request, and holds them up.
type requests struct {
	mu   sync.Mutex
	sent [][]int
	hold chan struct{}
	bad  int // a partition that is refused
}

func (r *requests) all(_ context.Context, _ Member, all []Offset) []error {
	var partitions []int
	errs := make([]error, len(all))
	for i, o := range all {
		partitions = append(partitions, o.Partition)
		if o.Partition == r.bad {
			errs[i] = errors.New("refused")
		}
	}
	r.mu.Lock()
	r.sent = append(r.sent, partitions)
	r.mu.Unlock()
	<-r.hold
	return errs
}

// Commits that come while a request is under way go together with the next one, and each partition gets its own answer.
// One whose context ends before is not sent.
func TestCommitsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &requests{hold: make(chan struct{}), bad: 2}
		c := &Commits{all: r.all, turn: make(chan struct{}, 1)}
		commit := func(ctx context.Context, partition int) chan error {
			out := make(chan error, 1)
			go func() { out <- c.Commit(ctx, Member{}, partition, 1, "") }()
			synctest.Wait()
			return out
		}
		first := commit(t.Context(), 0)
		ctx, cancel := context.WithCancel(t.Context())
		one, two, gone := commit(t.Context(), 1), commit(t.Context(), 2), commit(ctx, 3)
		cancel()
		assert.ErrorIs(t, <-gone, context.Canceled)
		r.hold <- struct{}{}
		assert.NoError(t, <-first)
		synctest.Wait()
		ctx, cancel = context.WithCancel(t.Context())
		late := commit(ctx, 4)
		r.hold <- struct{}{}
		assert.NoError(t, <-one)
		assert.Error(t, <-two)
		synctest.Wait()
		cancel() // it is under way
		r.hold <- struct{}{}
		assert.NoError(t, <-late)
		assert.Equal(t, [][]int{{0}, {1, 2}, {4}}, r.sent)
	})
}

// The commits of partitions that share blocks wait for each other as long as more come, and not for longer than that.
func TestCommitsWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &requests{hold: make(chan struct{}), bad: -1}
		close(r.hold)
		c := (&Client{}).CommitTogether(true)
		c.all = r.all
		var all sync.WaitGroup
		commit := func(partition int) {
			all.Go(func() { assert.NoError(t, c.Commit(t.Context(), Member{}, partition, 1, "")) })
			synctest.Wait()
		}
		began := time.Now()
		commit(0)
		<-time.After(commitStep / 2)
		commit(1)
		commit(2)
		all.Wait()
		assert.Equal(t, 2*commitStep, time.Since(began))
		commit(3)
		<-time.After(commitStep / 4) // from here on, never at the moment at which the first of them looks
		for n := range 30 {          // there are always more
			commit(4 + n)
			<-time.After(commitStep / 2)
		}
		all.Wait()
		require.Equal(t, []int{0, 1, 2}, r.sent[0])
		assert.Len(t, r.sent[1], 1+2*int(commitWait/commitStep))
	})
}
