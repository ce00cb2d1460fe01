package consumer

import (
	"bytes"
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
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/internal/kafkaconn"
)

// logged is a log that a test reads.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// patience is a context that ends before the test's patience does.
func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// inGroup makes a membership of a broker's group, which is left when the test ends.
func inGroup(t *testing.T, conn kafkaconn.Config, log io.Writer) *membership {
	t.Helper()
	k, err := newCluster(conn, "sluice", slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.close)
	m := k.join()
	t.Cleanup(m.leave)
	return m
}

// enters waits for the membership's next generation.
func enters(t *testing.T, m *membership) *generation {
	t.Helper()
	ctx := patience(t)
	for {
		gen, err := m.next(ctx)
		if err == nil {
			return gen
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

// A generation goes on while its coordinator is away, or moves: nobody has to stop for it, and nobody has to expire.
func TestGenerationOutlivesItsCoordinator(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 3)
	m := inGroup(t, b.conn, io.Discard)
	gen := enters(t, m)
	for _, away := range []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress} {
		fault := b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Err: away, Count: -1})
		if err := fault.Wait(patience(t), 3); err != nil {
			t.Fatal(err)
		}
		fault.Remove()
		answered := b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Observe: true, Count: -1})
		if err := answered.Wait(patience(t), 1); err != nil {
			t.Fatal(err)
		}
		answered.Remove()
	}
	if gen.life.Err() != nil {
		t.Error("the generation is over")
	}
	if err := b.commit(t.Context(), gen.member, 0, 1, ""); err != nil {
		t.Errorf("a commit in it: %v", err)
	}
}

// While the coordinator is away a rebalance waits for it, and the member comes back as who it was: a new one would have to wait until
// the old one's session is over.
func TestMemberKeepsItsID(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 3)
	m := inGroup(t, b.conn, io.Discard)
	first := enters(t, m)
	away := b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, TopLevel: true, Err: kerr.CoordinatorNotAvailable, Count: 3})
	b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Err: kerr.RebalanceInProgress})
	second := enters(t, m)
	if away.Hits() != 3 {
		t.Errorf("joined after %d refusals", away.Hits())
	}
	if second.id != first.id || second.generation <= first.generation || len(second.partitions) != 3 {
		t.Errorf("%s in generation %d, after %s in %d", second.id, second.generation, first.id, first.generation)
	}
	if err := b.leaveGroup(patience(t), second.id); err != nil { // as if its session were over
		t.Fatal(err)
	}
	if third := enters(t, m); third.id == first.id || third.id == "" || len(third.partitions) != 3 {
		t.Errorf("the member that nobody knows came back as %q with %v", third.id, third.partitions)
	}
}

// Heartbeats go on while the partitions of a generation that is over finish their work.
func TestHeartbeatsGoOnWhileWorkFinishes(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	m := inGroup(t, b.conn, io.Discard)
	gen := enters(t, m)
	finish := make(chan struct{})
	release := sync.OnceFunc(func() { close(finish) })
	defer release()
	gen.run(func(context.Context) { <-finish })
	b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Err: kerr.RebalanceInProgress})
	<-gen.life.Done()
	beats := b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Observe: true, Count: -1})
	ended := make(chan struct{})
	go func() { defer close(ended); m.end() }()
	if err := beats.Wait(patience(t), 1); err != nil {
		t.Fatal(err)
	}
	release()
	<-ended
}

// A consumer that starts before its topic names the missing topic, stays out of the group, and gets all partitions once the topic is made.
func TestTopicIsMadeLater(t *testing.T) {
	t.Parallel()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	joins := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, TopLevel: true, Observe: true, Count: -1})
	m := inGroup(t, kafkaconn.Config{Brokers: fake.ListenAddrs(), Topic: "events", DeadTopic: "events.dead"}, io.Discard)
	for range 3 {
		if _, err := m.next(patience(t)); !errors.Is(err, errNoTopic) || !strings.Contains(err.Error(), "topic events: ") {
			t.Fatalf("error %v", err)
		}
	}
	if joins.Hits() != 0 {
		t.Errorf("joined %d times without a topic", joins.Hits())
	}
	if err := fake.CreateTopic("events", 5, nil); err != nil {
		t.Fatal(err)
	}
	if gen := enters(t, m); !slices.Equal(gen.partitions, []int{0, 1, 2, 3, 4}) {
		t.Errorf("partitions %v", gen.partitions)
	}
}

// Partitions that are added after the leader has shared out those it knew, and before the generation begins, are found.
func TestPartitionsAddedInTheMiddleOfARebalance(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 2)
	m := inGroup(t, b.conn, io.Discard)
	var added error
	b.ControlKey(int16(kmsg.SyncGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.SleepControl(func() { added = b.grow(5) })
		return nil, nil, false
	})
	first := enters(t, m)
	if added != nil || len(first.partitions) != 2 {
		t.Fatalf("error %v, partitions %v", added, first.partitions)
	}
	if second := enters(t, m); len(second.partitions) != 5 {
		t.Errorf("partitions %v", second.partitions)
	}
}

// A topic that goes away, or that has fewer partitions for a moment, is no reason for a generation; one that has fewer for good is.
func TestFewerPartitions(t *testing.T) {
	t.Parallel()
	var log logged
	b := newBroker(t, 4)
	m := inGroup(t, b.conn, &log)
	gen := enters(t, m)
	if err := b.DeleteTopic("events"); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the missing topic is said", func() bool { return strings.Contains(log.String(), "the topic has gone") })
	if gen.life.Err() != nil {
		t.Fatal("the generation is over")
	}
	if err := b.CreateTopic("events", 2, nil); err != nil {
		t.Fatal(err)
	}
	if next := enters(t, m); len(next.partitions) != 2 {
		t.Errorf("partitions %v", next.partitions)
	}
	if n := strings.Count(log.String(), "the topic has gone"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

// grow makes the topic have so many partitions.
func (b *broker) grow(partitions int32) error {
	req := kmsg.NewPtrCreatePartitionsRequest()
	topic := kmsg.NewCreatePartitionsRequestTopic()
	topic.Topic, topic.Count = "events", partitions
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 5000
	resp, err := req.RequestWith(context.Background(), b.other)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].ErrorCode)
}

// stranger is another application in our group, which consumes a topic.
func stranger(t *testing.T, b *broker, topic string, balancer kgo.GroupBalancer) {
	t.Helper()
	other, err := kgo.NewClient(kgo.SeedBrokers(b.ListenAddrs()...), kgo.ClientID("billing"), kgo.ConsumerGroup("sluice"),
		kgo.ConsumeTopics(topic), kgo.Balancers(balancer), kgo.SessionTimeout(10*time.Second), kgo.HeartbeatInterval(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
}

// Another application in the group is named, and neither keeps us from our partitions nor is kept from its own.
func TestStrangerInTheGroup(t *testing.T) {
	t.Parallel()
	var log logged
	b := newBroker(t, 3)
	if err := b.CreateTopic("invoices", 2, nil); err != nil {
		t.Fatal(err)
	}
	m := inGroup(t, b.conn, &log)
	enters(t, m)
	stranger(t, b, "invoices", kgo.RangeBalancer())
	gen := enters(t, m)
	if len(gen.partitions) != 3 {
		t.Errorf("partitions %v", gen.partitions)
	}
	for _, want := range []string{"another application", "invoices", "protocol=range", "--kafka-group"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "%!") {
		t.Errorf("an error that was none:\n%s", log.String())
	}
	info, err := b.WaitGroupStable(patience(t), "sluice", 2)
	if err != nil {
		t.Fatal(err)
	}
	if info.State != "Stable" {
		t.Errorf("the group is %s", info.State)
	}
}

// A group whose members share out in another way cannot be joined: the error says whose it is.
func TestGroupOfAnotherApplication(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	stranger(t, b, "events", kgo.RoundRobinBalancer())
	if _, err := b.WaitGroupStable(patience(t), "sluice", 1); err != nil {
		t.Fatal(err)
	}
	m := inGroup(t, b.conn, io.Discard)
	_, err := m.next(patience(t))
	if !errors.Is(err, kafka.InconsistentGroupProtocol) {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{`"sluice"`, `"roundrobin"`, `"billing"`, `"events"`, "--kafka-group"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in: %v", want, err)
		}
	}
}

// What other applications and other versions tell the group is read as far as it can be, and ends no program.
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
		if (err != nil) != c.fails || !c.fails && !slices.Equal(got.topics, c.topics) {
			t.Errorf("%s: topics %q, error %v", name, got.topics, err)
		}
	}
}

// An assignment comes back as it was written; whoever sends something else is not believed.
func TestAssignments(t *testing.T) {
	b := encodeAssignment(map[string][]int{"events": {2, 0}, "other": {7}})
	if got, err := decodeAssignment(b, "events"); err != nil || !slices.Equal(got, []int{0, 2}) {
		t.Errorf("%v, error %v", got, err)
	}
	for n := 1; n < len(b)-4; n++ { // the last four say that there is no user data
		if _, err := decodeAssignment(b[:n], "events"); err == nil {
			t.Errorf("no error for %d of %d bytes", n, len(b))
		}
	}
	if got, err := decodeAssignment(nil, "events"); err != nil || len(got) != 0 {
		t.Errorf("nothing: %v, error %v", got, err)
	}
}
