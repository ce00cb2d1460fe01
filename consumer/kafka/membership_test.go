package kafka

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/internal/kafkaconn"
)

// patience is a context that ends before the test run does.
func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// inGroup makes a membership of a broker's group. It leaves the group when the test ends.
func inGroup(t *testing.T, conn kafkaconn.Config, log io.Writer) *Membership {
	t.Helper()
	k, err := New(conn, "sluice", quick, slog.New(slog.NewTextHandler(log, nil)))
	require.NoError(t, err)
	t.Cleanup(k.Close)
	m := k.Join()
	t.Cleanup(m.Leave)
	return m
}

// enters waits for the membership's next generation.
func enters(t *testing.T, m *Membership) *Generation {
	t.Helper()
	ctx := patience(t)
	for {
		gen, err := m.Next(ctx)
		if err == nil {
			return gen
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

// A generation goes on while its coordinator is away or moves to another broker.
func TestGenerationOutlivesItsCoordinator(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 3)
	m := inGroup(t, b.Conn, io.Discard)
	gen := enters(t, m)
	for _, away := range []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress} {
		fault := b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Err: away, Count: -1})
		require.NoError(t, fault.Wait(patience(t), 3))
		fault.Remove()
		answered := b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Observe: true, Count: -1})
		require.NoError(t, answered.Wait(patience(t), 1))
		answered.Remove()
	}
	assert.NoError(t, gen.life.Err(), "the generation is over")
	assert.NoError(t, b.Commit(t.Context(), gen.Member, 0, 1, ""))
}

// A rebalance waits while the coordinator is away, and the member keeps its id. A new member would have to wait for the
// end of the old member's session.
func TestMemberKeepsItsID(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 3)
	m := inGroup(t, b.Conn, io.Discard)
	first := enters(t, m)
	away := b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, TopLevel: true, Err: kerr.CoordinatorNotAvailable, Count: 3})
	b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Err: kerr.RebalanceInProgress})
	second := enters(t, m)
	assert.Equal(t, int64(3), int64(away.Hits()), "refusals")
	assert.Equal(t, first.ID, second.ID)
	assert.Greater(t, second.Member.Generation, first.Member.Generation)
	assert.Len(t, second.Partitions, 3)
	if err := b.leaveGroup(patience(t), second.ID); err != nil { // as if its session were over
		t.Fatal(err)
	}
	third := enters(t, m)
	assert.NotEqual(t, first.ID, third.ID, "the coordinator does not know this member")
	assert.NotEmpty(t, third.ID)
	assert.Len(t, third.Partitions, 3)
}

// Heartbeats go on while the functions of a generation that is over finish their work.
func TestHeartbeatsGoOnWhileWorkFinishes(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	m := inGroup(t, b.Conn, io.Discard)
	gen := enters(t, m)
	finish := make(chan struct{})
	release := sync.OnceFunc(func() { close(finish) })
	defer release()
	gen.Run(func(context.Context) { <-finish })
	b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Err: kerr.RebalanceInProgress})
	<-gen.life.Done()
	beats := b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Observe: true, Count: -1})
	ended := make(chan struct{})
	go func() { defer close(ended); m.end() }()
	require.NoError(t, beats.Wait(patience(t), 1))
	release()
	<-ended
}

// A consumer whose topic does not exist names the topic and stays out of the group. It gets all partitions once the
// topic is created.
func TestTopicIsMadeLater(t *testing.T) {
	t.Parallel()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(fake.Close)
	joins := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, TopLevel: true, Observe: true, Count: -1})
	m := inGroup(t, kafkaconn.Config{Brokers: fake.ListenAddrs(), Topic: "events", DeadTopic: "events.dead"}, io.Discard)
	for range 3 {
		_, err := m.Next(patience(t))
		require.ErrorIs(t, err, errNoTopic)
		require.ErrorContains(t, err, "topic events: ")
	}
	assert.Zero(t, joins.Hits(), "joins without a topic")
	require.NoError(t, fake.CreateTopic("events", 5, nil))
	assert.Equal(t, []int{0, 1, 2, 3, 4}, enters(t, m).Partitions)
}

// Partitions that are added between the leader's assignment and the start of the generation cause another rebalance.
func TestPartitionsAddedInTheMiddleOfARebalance(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 2)
	m := inGroup(t, b.Conn, io.Discard)
	var added error
	b.ControlKey(int16(kmsg.SyncGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.SleepControl(func() { added = b.Grow(5) })
		return nil, nil, false
	})
	first := enters(t, m)
	require.NoError(t, added)
	require.Len(t, first.Partitions, 2)
	assert.Len(t, enters(t, m).Partitions, 5)
}

// A topic that disappears does not end the generation. A topic that has fewer partitions for good does.
func TestFewerPartitions(t *testing.T) {
	t.Parallel()
	var log logged
	b := newBroker(t, 4)
	m := inGroup(t, b.Conn, &log)
	gen := enters(t, m)
	require.NoError(t, b.DeleteTopic("events"))
	eventually(t, "the log names the missing topic", func() bool { return strings.Contains(log.String(), "the topic has gone") })
	require.NoError(t, gen.life.Err(), "the generation is over")
	require.NoError(t, b.CreateTopic("events", 2, nil))
	assert.Len(t, enters(t, m).Partitions, 2)
	assert.Equal(t, 1, strings.Count(log.String(), "the topic has gone"))
}

// stranger is another application in our group, which consumes a topic.
func stranger(t *testing.T, b *broker, topic string, balancer kgo.GroupBalancer) {
	t.Helper()
	other, err := kgo.NewClient(kgo.SeedBrokers(b.ListenAddrs()...), kgo.ClientID("billing"), kgo.ConsumerGroup("sluice"),
		kgo.ConsumeTopics(topic), kgo.Balancers(balancer), kgo.SessionTimeout(10*time.Second), kgo.HeartbeatInterval(time.Second))
	require.NoError(t, err)
	t.Cleanup(other.Close)
}

// The log names another application in the group. Both applications keep their own partitions.
func TestStrangerInTheGroup(t *testing.T) {
	t.Parallel()
	var log logged
	b := newBroker(t, 3)
	require.NoError(t, b.CreateTopic("invoices", 2, nil))
	m := inGroup(t, b.Conn, &log)
	enters(t, m)
	stranger(t, b, "invoices", kgo.RangeBalancer())
	gen := enters(t, m)
	assert.Len(t, gen.Partitions, 3)
	for _, want := range []string{"another application", "invoices", "protocol=range", "--kafka-group"} {
		assert.Contains(t, log.String(), want)
	}
	assert.NotContains(t, log.String(), "%!")
	info, err := b.WaitGroupStable(patience(t), "sluice", 2)
	require.NoError(t, err)
	assert.Equal(t, "Stable", info.State)
}

// A group whose members use another balancer cannot be joined. The error names its members.
func TestGroupOfAnotherApplication(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	stranger(t, b, "events", kgo.RoundRobinBalancer())
	_, err := b.WaitGroupStable(patience(t), "sluice", 1)
	require.NoError(t, err)
	m := inGroup(t, b.Conn, io.Discard)
	_, err = m.Next(patience(t))
	require.ErrorIs(t, err, kafka.InconsistentGroupProtocol)
	for _, want := range []string{`"sluice"`, `"roundrobin"`, `"billing"`, `"events"`, "--kafka-group"} {
		assert.ErrorContains(t, err, want)
	}
}

// Subscriptions of other applications and other versions are read as far as possible, and never panic.
func TestSubscriptionsOfOthers(t *testing.T) {
	ours := encodeSubscription(subscription{topics: []string{"events"}, userData: []byte{1, 2}})
	for name, c := range map[string]struct {
		bytes  []byte
		topics []string
		fails  bool
	}{
		"ours":                  {ours, []string{"events"}, false},
		"a later version's end": {append(slices.Clone(ours), "owned partitions"...), []string{"events"}, false},
		"no user data":          {[]byte("\x00\x03\x00\x00\x00\x01\x00\x01a\xff\xff\xff\xff"), []string{"a"}, false},
		"cut":                   {ours[:len(ours)-1], []string{"events"}, true},
		"nothing":               {nil, nil, true},
		"not a subscription":    {[]byte("{\"json\": true}"), nil, true},
		"two billion topics":    {[]byte("\x00\x00\x7f\xff\xff\xff"), nil, true},
	} {
		got, err := decodeSubscription(c.bytes)
		if c.fails {
			assert.Error(t, err, name)
			continue
		}
		require.NoError(t, err, name)
		assert.Equal(t, c.topics, got.topics, name)
	}
}

// An assignment is decoded as it was encoded. A truncated one is an error.
func TestAssignments(t *testing.T) {
	b := encodeAssignment(map[string][]int{"events": {2, 0}, "other": {7}})
	got, err := decodeAssignment(b, "events")
	require.NoError(t, err)
	assert.Equal(t, []int{0, 2}, got)
	for n := 1; n < len(b)-4; n++ { // the last four say that there is no user data
		_, err := decodeAssignment(b[:n], "events")
		assert.Error(t, err, "%d of %d bytes", n, len(b))
	}
	got, err = decodeAssignment(nil, "events")
	require.NoError(t, err)
	assert.Empty(t, got)
}

// The moment to leave is just after a heartbeat, and at once if this member is alone in the group.
func TestUntilAfterHeartbeat(t *testing.T) {
	t.Parallel()
	began := time.Now()
	m := &Membership{k: &Client{timing: DefaultTiming()}, began: began}
	const interval, slack = 3 * time.Second, 300 * time.Millisecond
	for _, c := range []struct{ after, want time.Duration }{
		{0, slack}, {slack, 0}, {2 * slack, 0}, {interval / 2, interval/2 + slack},
		{interval, slack}, {7*interval + slack, 0}, {8*interval - 1, slack + 1},
	} {
		assert.Equal(t, c.want, m.UntilAfterHeartbeat(began.Add(c.after)), "after %s", c.after)
	}
	assert.Zero(t, new(Membership).UntilAfterHeartbeat(began))
}

// Blocks are shared only while all members of the group know them: not while one of an older version is in it.
func TestSharingNeedsAllMembers(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 4)
	m := inGroup(t, b.Conn, io.Discard)
	assert.True(t, enters(t, m).SharesBlocks, "alone")
	older, err := New(b.Conn, "sluice", quick, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(older.Close)
	protocols := (&Membership{k: older, balancer: &sticky{}}).protocols()[1:]
	joined := make(chan string, 1)
	go func() {
		id := ""
		for {
			answer, err := older.joinGroup(context.WithoutCancel(t.Context()), id, protocols)
			if answer != nil && answer.MemberID != "" {
				id = answer.MemberID
			}
			if err == nil {
				_, _ = older.syncGroup(context.WithoutCancel(t.Context()), Member{ID: id, Generation: int(answer.GenerationID)}, nil)
			}
			if err == nil || !errors.Is(err, kafka.MemberIDRequired) {
				joined <- id
				return
			}
		}
	}()
	gen := enters(t, m)
	assert.False(t, gen.SharesBlocks, "with an older one")
	assert.Len(t, gen.Partitions, 2)
	require.NoError(t, older.leaveGroup(patience(t), <-joined))
	gen = enters(t, m)
	assert.True(t, gen.SharesBlocks, "alone again")
	assert.Len(t, gen.Partitions, 4)
}
