package e2e

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// front stands between consumers and a broker, and lets a test decide what becomes of each offset commit. The broker's
// answers about addresses name the front, so that clients stay behind it.
type front struct {
	listener net.Listener
	to       string
	all      sync.WaitGroup
	done     chan struct{}

	mu     sync.Mutex
	decide func(*kmsg.OffsetCommitRequest) fate
	conns  map[net.Conn]bool

	torn, cut, late atomic.Int64 // commits that were
	delivered       atomic.Int64 // late commits that the broker has answered
}

// fate is what becomes of a commit. The zero value passes it on.
type fate struct {
	// without are partitions that are not stored, and the error codes that are answered for them.
	without map[int32]int16
	// cut ends the connection in place of the answer.
	cut bool
	// late is, with cut, how long after the end of the connection the commit reaches the broker.
	late time.Duration
}

// newFront starts a front that lets everything pass.
func newFront(t *testing.T, to string) *front {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f := &front{listener: l, to: to, done: make(chan struct{}), conns: map[net.Conn]bool{}}
	f.all.Go(f.accept)
	t.Cleanup(func() {
		close(f.done)
		_ = l.Close()
		f.mu.Lock()
		for c := range f.conns {
			_ = c.Close()
		}
		f.mu.Unlock()
		f.all.Wait()
	})
	return f
}

func (f *front) addr() string { return f.listener.Addr().String() }

// rule makes a function decide about commits from now on; nil lets all pass.
func (f *front) rule(decide func(*kmsg.OffsetCommitRequest) fate) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.decide = decide
}

func (f *front) accept() {
	for {
		client, err := f.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", f.to)
		if err != nil {
			_ = client.Close()
			continue
		}
		f.keep(client, server)
		c := &fronted{front: f, client: client, server: server, asked: make(chan asked, 4096)}
		f.all.Go(c.passRequests)
		f.all.Go(c.passAnswers)
	}
}

// keep notes connections for the end of the test.
func (f *front) keep(conns ...net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range conns {
		f.conns[c] = true
	}
}

// fronted is one connection of a client.
type fronted struct {
	*front
	client, server net.Conn
	asked          chan asked // in the order of the requests, which is that of the answers
}

// asked is what must be known of a request when its answer comes.
type asked struct {
	key, version int16
	request      *kmsg.OffsetCommitRequest // as the client sent it; nil: it is another request
	fate         fate
}

func (c *fronted) close() {
	_ = c.client.Close()
	_ = c.server.Close()
}

func (c *fronted) passRequests() {
	defer close(c.asked)
	defer c.close()
	for {
		frame, err := readFrame(c.client)
		if err != nil {
			return
		}
		one := asked{key: int16(binary.BigEndian.Uint16(frame)), version: int16(binary.BigEndian.Uint16(frame[2:]))}
		if one.key == kmsg.OffsetCommit.Int16() {
			if frame, err = c.judge(frame, &one); err != nil {
				return
			}
		}
		if one.fate.late > 0 {
			c.late.Add(1)
			c.all.Go(func() { c.deliver(frame, one.fate.late) })
			return
		}
		c.asked <- one
		if writeFrame(c.server, frame) != nil {
			return
		}
	}
}

// judge decides what becomes of a commit, and removes the entries that are not to be stored.
func (c *fronted) judge(frame []byte, one *asked) ([]byte, error) {
	head, err := headerLength(frame, one.version >= 8)
	if err != nil {
		return nil, err
	}
	one.request = kmsg.NewPtrOffsetCommitRequest()
	one.request.SetVersion(one.version)
	if err := one.request.ReadFrom(frame[head:]); err != nil {
		return nil, err
	}
	c.mu.Lock()
	decide := c.decide
	c.mu.Unlock()
	if decide == nil {
		return frame, nil
	}
	one.fate = decide(one.request)
	if len(one.fate.without) == 0 {
		return frame, nil
	}
	c.torn.Add(1)
	less := *one.request
	less.Topics = nil
	for _, topic := range one.request.Topics {
		var kept []kmsg.OffsetCommitRequestTopicPartition
		for _, p := range topic.Partitions {
			if _, out := one.fate.without[p.Partition]; !out {
				kept = append(kept, p)
			}
		}
		topic.Partitions = kept
		less.Topics = append(less.Topics, topic)
	}
	return less.AppendTo(append([]byte(nil), frame[:head]...)), nil
}

// deliver brings a commit to the broker after its client has given it up.
func (f *front) deliver(frame []byte, after time.Duration) {
	select {
	case <-f.done:
		return
	case <-time.After(after):
	}
	server, err := net.Dial("tcp", f.to)
	if err != nil {
		return
	}
	defer server.Close() //nolint:errcheck // nothing is lost
	f.keep(server)
	if writeFrame(server, frame) == nil {
		_, _ = readFrame(server)
	}
	f.delivered.Add(1)
}

func (c *fronted) passAnswers() {
	defer c.close()
	for one := range c.asked {
		frame, err := readFrame(c.server)
		if err != nil {
			return
		}
		if one.fate.cut {
			c.cut.Add(1)
			return
		}
		if frame, err = c.answer(frame, one); err != nil {
			return
		}
		if writeFrame(c.client, frame) != nil {
			return
		}
	}
}

// answer changes the answers that have addresses, and those to commits that were torn.
func (c *fronted) answer(frame []byte, one asked) ([]byte, error) {
	var resp kmsg.Response
	switch one.key {
	case kmsg.Metadata.Int16():
		resp = kmsg.NewPtrMetadataResponse()
	case kmsg.FindCoordinator.Int16():
		resp = kmsg.NewPtrFindCoordinatorResponse()
	case kmsg.OffsetCommit.Int16():
		if len(one.fate.without) == 0 {
			return frame, nil
		}
		resp = kmsg.NewPtrOffsetCommitResponse()
	default:
		return frame, nil
	}
	resp.SetVersion(one.version)
	head := 4
	if resp.IsFlexible() {
		head = 5 // no tags
	}
	if err := resp.ReadFrom(frame[head:]); err != nil {
		return nil, err
	}
	host, port := c.place()
	switch resp := resp.(type) {
	case *kmsg.MetadataResponse:
		for i := range resp.Brokers {
			resp.Brokers[i].Host, resp.Brokers[i].Port = host, port
		}
	case *kmsg.FindCoordinatorResponse:
		resp.Host, resp.Port = host, port
		for i := range resp.Coordinators {
			resp.Coordinators[i].Host, resp.Coordinators[i].Port = host, port
		}
	case *kmsg.OffsetCommitResponse:
		resp.Topics = tear(one, resp.Topics)
	}
	return resp.AppendTo(append([]byte(nil), frame[:head]...)), nil
}

func (f *front) place() (host string, port int32) {
	host, text, _ := net.SplitHostPort(f.addr())
	n, _ := strconv.ParseInt(text, 10, 32)
	return host, int32(n)
}

// tear answers for all partitions of a commit: with what the broker says, and with errors for those that it never saw.
func tear(one asked, stored []kmsg.OffsetCommitResponseTopic) (all []kmsg.OffsetCommitResponseTopic) {
	codes := map[string]map[int32]int16{}
	for _, topic := range stored {
		codes[topic.Topic] = map[int32]int16{}
		for _, p := range topic.Partitions {
			codes[topic.Topic][p.Partition] = p.ErrorCode
		}
	}
	for _, topic := range one.request.Topics {
		out := kmsg.NewOffsetCommitResponseTopic()
		out.Topic = topic.Topic
		for _, p := range topic.Partitions {
			answer := kmsg.NewOffsetCommitResponseTopicPartition()
			answer.Partition, answer.ErrorCode = p.Partition, codes[topic.Topic][p.Partition]
			if code, torn := one.fate.without[p.Partition]; torn {
				answer.ErrorCode = code
			}
			out.Partitions = append(out.Partitions, answer)
		}
		all = append(all, out)
	}
	return all
}

var errFrame = errors.New("not a frame of Kafka's")

// headerLength is that of a request's header: key, version, correlation id, client id, and tags if there may be any.
func headerLength(frame []byte, flexible bool) (int, error) {
	if len(frame) < 10 {
		return 0, errFrame
	}
	head := 10 + max(0, int(int16(binary.BigEndian.Uint16(frame[8:]))))
	if flexible {
		head++ // no tags
	}
	if len(frame) < head {
		return 0, errFrame
	}
	return head, nil
}

func readFrame(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n < 4 || n > 128<<20 {
		return nil, errFrame
	}
	frame := make([]byte, n)
	_, err := io.ReadFull(r, frame)
	return frame, err
}

func writeFrame(w io.Writer, frame []byte) error {
	size := binary.BigEndian.AppendUint32(make([]byte, 0, len(frame)+4), uint32(len(frame)))
	_, err := w.Write(append(size, frame...))
	return err
}
