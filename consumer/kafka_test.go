package consumer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
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

	"sluice/internal/event"
	"sluice/internal/kafkaconn"
	"sluice/internal/settings"
	"sluice/internal/topics"
)

// broker is a Kafka in this process, with the topics as `sluice topics apply` makes them, and both sides of it: ours, and another
// client's that writes and reads without our code.
type broker struct {
	*kfake.Cluster
	*cluster
	conn  kafkaconn.Config
	other *kgo.Client
}

func newBroker(t testing.TB, partitions int) *broker {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	conn := kafkaconn.Config{Brokers: fake.ListenAddrs(), Topic: "events", DeadTopic: "events.dead"}
	admin, closeAdmin, err := topics.New(conn, topics.Config{Partitions: partitions, Replication: 1, MinISR: 1, Retention: settings.Duration(24 * time.Hour)}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAdmin()
	if err := admin.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	ours, err := newCluster(conn, "sluice", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ours.close)
	other, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(4<<20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	return &broker{Cluster: fake, cluster: ours, conn: conn, other: other}
}

// write puts records on a partition, as one batch.
func (b *broker) write(t *testing.T, partition int, records ...record) {
	t.Helper()
	var batch []*kgo.Record
	for _, r := range records {
		out := &kgo.Record{Topic: "events", Partition: int32(partition), Key: r.key, Value: r.value} //nolint:gosec // small
		for _, h := range r.headers {
			out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		batch = append(batch, out)
	}
	if err := b.other.ProduceSync(t.Context(), batch...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// read fetches from an offset on and copies what comes.
func (b *broker) read(t *testing.T, partition int, offset int64) ([]record, position, error) {
	t.Helper()
	var got []record
	at, err := b.fetch(t.Context(), partition, offset, 200*time.Millisecond, func(r *record) error {
		kept := record{offset: r.offset, key: bytes.Clone(r.key), value: bytes.Clone(r.value)}
		for _, h := range r.headers {
			kept.headers = append(kept.headers, event.Header{Key: h.Key, Value: bytes.Clone(h.Value)})
		}
		got = append(got, kept)
		return nil
	})
	return got, at, err
}

// Keys, values and headers arrive as they were written, and nothing is taken for something else: null is not empty.
func TestFetch(t *testing.T) {
	b := newBroker(t, 1)
	want := []record{
		{key: []byte{}, value: []byte{}}, // first, while there is no memory to reuse
		{},
		{key: []byte("k"), value: []byte("v"), headers: []event.Header{{Key: "h", Value: []byte("1")}, {Key: "h", Value: []byte{0, 0xFF}}, {Key: "", Value: []byte("no name")}}},
		{value: eventOf(1 << 20)}, // grows the memory
		{key: []byte{}, value: []byte("short")},
		plain(5),
		{key: []byte("tombstone")},
	}
	b.write(t, 0, want...)
	got, at, err := b.read(t, 0, 0)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d records, error %v; want %d", len(got), err, len(want))
	}
	if at.highWatermark != int64(len(want)) || at.logStart != 0 {
		t.Errorf("position %+v", at)
	}
	same := func(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }
	for i, w := range want {
		g := got[i]
		if g.offset != int64(i) || !same(g.key, w.key) || !same(g.value, w.value) || len(g.headers) != len(w.headers) {
			t.Errorf("record %d: offset %d, key %q (null %v), value of %d bytes (null %v), %d headers",
				i, g.offset, g.key, g.key == nil, len(g.value), g.value == nil, len(g.headers))
			continue
		}
		for j, h := range w.headers {
			if g.headers[j].Key != h.Key || !bytes.Equal(g.headers[j].Value, h.Value) {
				t.Errorf("record %d, header %d: %v", i, j, g.headers[j])
			}
		}
	}
}

// A broker sends whole batches: what is in them from before the offset asked for is not ours to see again.
func TestFetchSkipsWhatWasBefore(t *testing.T) {
	b := newBroker(t, 1)
	var records []record
	for i := range int64(10) {
		records = append(records, plain(i))
	}
	b.write(t, 0, records...)
	for offset := range int64(11) {
		got, at, err := b.read(t, 0, offset)
		if err != nil || at.highWatermark != 10 || len(got) != int(10-offset) || len(got) > 0 && got[0].offset != offset {
			t.Errorf("from %d: %d records, position %+v, error %v", offset, len(got), at, err)
		}
	}
}

// Compressed batches of another producer are read too.
func TestFetchCompressed(t *testing.T) {
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBroker(t, 1)
			other, err := kgo.NewClient(kgo.SeedBrokers(b.ListenAddrs()...), kgo.ProducerBatchCompression(codec))
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			var batch []*kgo.Record
			for i := range 100 {
				batch = append(batch, &kgo.Record{Topic: "events", Value: fmt.Appendf(nil, "value %d", i)})
			}
			if err := other.ProduceSync(t.Context(), batch...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			got, _, err := b.read(t, 0, 0)
			if err != nil || len(got) != 100 || string(got[99].value) != "value 99" {
				t.Errorf("%d records, error %v", len(got), err)
			}
		})
	}
}

// An error of the one who is given the records ends the fetch and comes back as it is.
func TestFetchStops(t *testing.T) {
	b := newBroker(t, 1)
	b.write(t, 0, plain(0), plain(1), plain(2))
	enough := errors.New("enough")
	n := 0
	_, err := b.fetch(t.Context(), 0, 0, time.Second, func(*record) error {
		n++
		return enough
	})
	if n != 1 || !errors.Is(err, enough) {
		t.Errorf("%d records, error %v", n, err)
	}
}

// Offsets that are not on the topic are told apart from every other error.
func TestFetchOutOfRange(t *testing.T) {
	b := newBroker(t, 2)
	b.write(t, 0, plain(0), plain(1), plain(2), plain(3))
	if err := b.DeleteRecords("events", 0, 2); err != nil {
		t.Fatal(err)
	}
	for offset, want := range map[int64]bool{0: true, 1: true, 2: false, 3: false, 4: false, 5: true, 1000: true} {
		_, _, err := b.read(t, 0, offset)
		if errors.Is(err, errOffsetOutOfRange) != want || err != nil && !want {
			t.Errorf("offset %d: %v", offset, err)
		}
	}
	if first, end, err := b.bounds(t.Context(), 0); err != nil || first != 2 || end != 4 {
		t.Errorf("bounds %d and %d, error %v; want 2 and 4", first, end, err)
	}
	if first, end, err := b.bounds(t.Context(), 1); err != nil || first != 0 || end != 0 {
		t.Errorf("bounds of an empty partition %d and %d, error %v", first, end, err)
	}
	b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.NotLeaderForPartition}, kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.NotLeaderForPartition, Count: -1})
	if _, _, err := b.read(t, 0, 2); err == nil || errors.Is(err, errOffsetOutOfRange) {
		t.Errorf("a moved leader: %v", err)
	}
	if _, _, err := b.bounds(t.Context(), 0); err == nil {
		t.Error("no error for bounds that the broker refused")
	}
}

// joined is a generation of the group.
func (b *broker) joined(t *testing.T) member {
	t.Helper()
	group := b.join()
	t.Cleanup(group.leave)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	gen, err := group.next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return gen.member
}

func (b *broker) committed(t *testing.T, partition int) int64 {
	t.Helper()
	resp, err := b.client.OffsetFetch(t.Context(), &kafka.OffsetFetchRequest{GroupID: b.group, Topics: map[string][]int{"events": {partition}}})
	if err != nil {
		t.Fatal(err)
	}
	return resp.Topics["events"][0].CommittedOffset
}

// A commit counts only from the member that owns the partition in this generation. From anybody else it changes nothing, and
// says so in a way that makes a partition stop.
func TestCommit(t *testing.T) {
	b := newBroker(t, 2)
	m := b.joined(t)
	if err := b.commit(t.Context(), m, 1, 5, "what is recorded"); err != nil || b.committed(t, 1) != 5 || b.committed(t, 0) != -1 {
		t.Fatalf("error %v, committed %d and %d", err, b.committed(t, 0), b.committed(t, 1))
	}
	if offset, metadata, err := b.cluster.committed(t.Context(), 1); offset != 5 || metadata != "what is recorded" || err != nil {
		t.Errorf("offset %d, metadata %q, error %v", offset, metadata, err)
	}
	if offset, metadata, err := b.cluster.committed(t.Context(), 0); offset >= 0 || metadata != "" || err != nil {
		t.Errorf("nothing was committed: offset %d, metadata %q, error %v", offset, metadata, err)
	}
	for name, other := range map[string]member{
		"an older generation":     {m.id, m.generation - 1, m.partitions},
		"a newer generation":      {m.id, m.generation + 1, m.partitions},
		"another member":          {"somebody", m.generation, m.partitions},
		"not of the generation's": {m.id, m.generation, []int{0, 2}}, // which the broker would not notice
	} {
		if err := b.commit(t.Context(), other, 1, 9, ""); !errors.Is(err, errNotOwner) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := b.committed(t, 1); got != 5 {
		t.Errorf("a refused commit moved the offset to %d", got)
	}
}

// An offset whose metadata cannot be had is not taken for one without.
func TestCommittedErrors(t *testing.T) {
	b := newBroker(t, 1)
	for _, code := range []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.UnstableOffsetCommit} {
		fault := b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: code, Count: -1})
		offset, metadata, err := b.cluster.committed(t.Context(), 0)
		fault.Remove()
		if err == nil {
			t.Errorf("%s: offset %d, metadata %q", code.Message, offset, metadata)
		}
	}
}

// Which refusals mean that the partition is lost, and which only that the broker has to be asked again.
func TestCommitErrors(t *testing.T) {
	b := newBroker(t, 1)
	m := b.joined(t)
	for code, lost := range map[*kerr.Error]bool{
		kerr.IllegalGeneration: true, kerr.UnknownMemberID: true, kerr.RebalanceInProgress: true, kerr.FencedInstanceID: true,
		kerr.CoordinatorLoadInProgress: false, kerr.NotCoordinator: false, kerr.RequestTimedOut: false, kerr.CoordinatorNotAvailable: false,
	} {
		fault := b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: code, Count: -1})
		err := b.commit(t.Context(), m, 0, 1, "")
		fault.Remove()
		if err == nil || errors.Is(err, errNotOwner) != lost {
			t.Errorf("%s: %v, want lost: %v", code.Message, err, lost)
		}
	}
}

// Dead letters lie on their topic as they should, the largest record of the events topic included.
func TestBury(t *testing.T) {
	b := newBroker(t, 4) // of the dead-letter topic's three partitions the fourth takes the first
	huge := record{offset: 7, key: bytes.Repeat([]byte("k"), 10_000), value: bytes.Repeat([]byte{0xFF}, 2<<20), headers: plain(1).headers}
	null := record{offset: 8}
	cause := &event.RecordError{Reason: event.DeadMalformedJSON, Detail: "x"}
	if err := b.bury(t.Context(), 3, []deadLetter{newDeadLetter(&huge, cause), newDeadLetter(&null, cause)}); err != nil {
		t.Fatal(err)
	}
	got := b.dead(t, 2)
	if !bytes.Equal(got[0].Value, huge.value) || !bytes.Equal(got[0].Key, huge.key) || got[1].Value != nil || got[1].Key != nil || got[0].Partition != 0 {
		t.Errorf("partition %d, values of %d and %d bytes", got[0].Partition, len(got[0].Value), len(got[1].Value))
	}
	var keys []string
	for _, h := range got[0].Headers {
		keys = append(keys, h.Key+"="+string(h.Value))
	}
	all := strings.Join(keys, " ")
	for _, want := range []string{"v=1", "project=demo", "dead-reason=malformed_json", "dead-topic=events", "dead-partition=3", "dead-offset=7", "dead-error=malformed_json: x", "dead-at="} {
		if !strings.Contains(all, want) {
			t.Errorf("%s is not among %s", want, all)
		}
	}
}

// A record that was small when compressed can be larger than any topic takes without: it must fit as a dead letter all the same,
// or its partition would wait for ever.
func TestBuryWhatWasCompressed(t *testing.T) {
	b := newBroker(t, 1)
	bomb := record{offset: 7, value: bytes.Repeat([]byte("x"), 6<<20)}
	if err := b.bury(t.Context(), 0, []deadLetter{newDeadLetter(&bomb, errors.New("too large"))}); err != nil {
		t.Fatal(err)
	}
	if got := b.dead(t, 1); !bytes.Equal(got[0].Value, bomb.value) {
		t.Errorf("%d bytes", len(got[0].Value))
	}
}

// dead reads so many dead letters, by offset.
func (b *broker) dead(t *testing.T, n int) []*kgo.Record {
	t.Helper()
	reader, err := kgo.NewClient(kgo.SeedBrokers(b.ListenAddrs()...), kgo.ConsumeTopics("events.dead"), kgo.FetchMaxBytes(64<<20), kgo.FetchMaxPartitionBytes(16<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var all []*kgo.Record
	for len(all) < n {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("%d of %d dead letters: %v", len(all), n, err)
		}
		all = append(all, fetches.Records()...)
	}
	return all
}

// Many dead letters go in several writes, all of them acknowledged by all replicas and none larger than the topic takes, even
// if nothing of them can be compressed.
func TestBuryInBatches(t *testing.T) {
	b := newBroker(t, 1)
	var mu sync.Mutex
	var sizes []int
	b.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.KeepControl()
		req := r.(*kmsg.ProduceRequest)
		mu.Lock()
		defer mu.Unlock()
		if req.Acks != -1 {
			t.Errorf("acks %d", req.Acks)
		}
		sizes = append(sizes, len(req.Topics[0].Partitions[0].Records))
		return nil, nil, false
	})
	var letters []deadLetter
	for i := range 50 {
		r := record{offset: int64(i), value: noise(byte(i), 100_000)}
		letters = append(letters, newDeadLetter(&r, errors.New("x")))
	}
	if err := b.bury(t.Context(), 0, letters); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(sizes) != 3 || slices.Max(sizes) > maxDeadBatch+100_000 {
		t.Errorf("writes of %v bytes, want three", sizes)
	}
	for i, r := range b.dead(t, 50) {
		if len(r.Value) != 100_000 || r.Value[0] != byte(i) {
			t.Errorf("letter %d: %d bytes of %d", i, len(r.Value), r.Value[0])
		}
	}
}

// noise is bytes that do not compress, the first of which is i.
func noise(i byte, n int) []byte {
	out := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{i}).Read(out)
	out[0] = i
	return out
}

// A dead letter that the broker did not acknowledge is not buried, and a missing topic is said with what to do about it.
func TestBuryFails(t *testing.T) {
	b := newBroker(t, 1)
	letters := []deadLetter{newDeadLetter(&record{}, errors.New("x"))}
	for _, code := range []*kerr.Error{kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.NotLeaderForPartition, kerr.MessageTooLarge} {
		b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: code})
		if err := b.bury(t.Context(), 0, letters); err == nil {
			t.Errorf("%s was taken for an acknowledgement", code.Message)
		}
	}
	if err := b.DeleteTopic("events.dead"); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the topic is missed", func() bool {
		err := b.bury(t.Context(), 0, letters)
		return err != nil && strings.Contains(err.Error(), "events.dead") && strings.Contains(err.Error(), "sluice topics apply")
	})
}
