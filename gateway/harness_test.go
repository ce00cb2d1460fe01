package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"sluice/gateway/projects"
	"sluice/internal/event"
)

const testKey = "test-key"

// Record is a Kafka record as tests write and read it.
type Record struct {
	Key     []byte // nil: any partition will do
	Value   []byte
	Headers []event.Header
}

// parcelOf encodes records as a request's. pub says which partitions keys belong to; without it all are for any.
func parcelOf(pub *publisher, records []Record) *parcel {
	memory := &parcelMemory{}
	if pub != nil {
		memory = &pub.memory
	}
	p := memory.parcel()
	for i := range records {
		partition := -1
		if pub != nil {
			partition = pub.partitionOf(records[i].Key)
		}
		tail := appendTailOf(nil, &records[i])
		c := p.last()
		if c == nil || c.partition != partition || c.count == maxBatchRecords || c.size()+len(tail)+batchOverhead > maxBatchBytes {
			c = memory.chunk(partition, len(tail))
			p.chunks = append(p.chunks, c)
		}
		c.records = append(c.records, tail...)
		c.count++
		p.count++
	}
	return p
}

// appendTailOf writes a record's tail with whatever headers it has, none of which need be an event's id.
func appendTailOf(b []byte, r *Record) []byte {
	h := header{}
	h.bytes, _ = appendHeaders(nil, r.Headers)
	size := tailSize(r.Key, r.Value, &h)
	b = binary.AppendUvarint(b, uint64(size))
	return append(appendBytes(appendBytes(b, r.Key), r.Value), h.bytes...)
}

// readTails reads what appendTail wrote; the records alias it. Where it is no record, it is one without anything.
func readTails(tails []byte) (out []Record) {
	bytes := func(tail []byte) (v, rest []byte) {
		n, width := binary.Varint(tail)
		if tail = tail[width:]; n < 0 {
			return nil, tail
		}
		return tail[:n], tail[n:]
	}
	for len(tails) > 0 {
		size, width := binary.Uvarint(tails)
		tail := tails[width : width+int(size)]
		tails = tails[width+int(size):]
		var r Record
		r.Key, tail = bytes(tail)
		r.Value, tail = bytes(tail)
		n, width := binary.Varint(tail)
		tail = tail[width:]
		for range n {
			var name, value []byte
			name, tail = bytes(tail)
			value, tail = bytes(tail)
			r.Headers = append(r.Headers, event.Header{Key: string(name), Value: value})
		}
		out = append(out, r)
	}
	return out
}

// publish publishes records as one request does, and returns an error a record.
func publish(pub *publisher, records []Record, deadline time.Time) (errs []error) {
	p := parcelOf(pub, records)
	defer p.release()
	pub.Publish(p, deadline)
	p.outcomes(func(n int, err error) {
		for range n {
			errs = append(errs, err)
		}
	})
	return errs
}

// chunksOf encodes runs of records.
func chunksOf(runs [][]Record) (chunks []*chunk) {
	for _, run := range runs {
		chunks = append(chunks, parcelOf(nil, run).chunks...)
	}
	return chunks
}

// memory is a Producer in memory. It checks its side of the contract as a broker does, drops what it already has, and fails in
// both ways that Kafka can: with the batch not taken, and with the batch taken and the answer lost.
type memory struct {
	mu      sync.Mutex
	records []Record
	batches int
	ids     int64
	next    map[sequenced]int32
	log     []placed
	fail    func() (taken bool, err error) // nil: never
	refuse  func() error                   // if set: how NewID ends
	limit   int                            // if set: how large a batch may be
	hold    chan struct{}                  // if set: Produce waits for it, or for its context
}

// sequenced is what a broker numbers the records of.
type sequenced struct {
	ProducerID
	partition int
}

// placed is a batch as it came to Produce.
type placed struct {
	sequenced
	sequence int32
	records  int
}

func (m *memory) Produce(ctx context.Context, partition int, batch []byte) error {
	b, err := parse(batch)
	if err != nil || partition < 0 || len(b.records) == 0 {
		return fmt.Errorf("the publisher broke its side of the contract: %w", err)
	}
	if m.hold != nil {
		select {
		case <-m.hold:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrNotWritten, ctx.Err())
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.batches++
	at := sequenced{ProducerID{b.ProducerID, b.ProducerEpoch}, partition}
	m.log = append(m.log, placed{at, b.FirstSequence, len(b.records)})
	if m.limit > 0 && len(batch) > m.limit {
		return fmt.Errorf("%w: %d bytes", ErrRefused, len(batch))
	}
	taken := true
	if m.fail != nil {
		taken, err = m.fail()
	}
	switch next := m.next[at]; {
	case !taken:
		return err
	case !at.valid() || b.FirstSequence == next:
		m.records = append(m.records, b.records...)
		if m.next == nil {
			m.next = map[sequenced]int32{}
		}
		m.next[at] += b.NumRecords
		return err
	case b.FirstSequence == next-b.NumRecords: // a copy
		return err
	default:
		return fmt.Errorf("%w: sequence %d after %d", ErrProducerID, b.FirstSequence, next)
	}
}

func (m *memory) NewID(context.Context) (ProducerID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		if err := m.refuse(); err != nil {
			return noProducer, err
		}
	}
	m.ids++
	return ProducerID{ID: m.ids}, nil
}

func (m *memory) Partitions(context.Context) (int, error) { return 3, nil }

// failing makes every batch from now on end as f says.
func (m *memory) failing(f func() (taken bool, err error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = f
}

// placed lists what came to Produce.
func (m *memory) placed() []placed {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]placed(nil), m.log...)
}

func (m *memory) stored() []Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Record(nil), m.records...)
}

// clock is a clock that stands still until it is moved.
type clock struct {
	mu     sync.Mutex
	t      time.Time
	passed time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

// elapsed is what the clock was advanced by, for what must not go by the time of day.
func (c *clock) elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.passed
}

// jump sets the time of day, as an operator or a broken battery does; no time passes.
func (c *clock) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
	c.passed += d
}

// served is a gateway under test.
type served struct {
	*Gateway
	t        *testing.T
	url      string
	producer *memory
	clock    *clock
	registry *prometheus.Registry
	stop     func() error
}

type option func(*Config, *Deps)

// withProjects gives the gateway a projects file.
func withProjects(t *testing.T, text string) option {
	t.Helper()
	path := filepath.Join(t.TempDir(), "projects.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(c *Config, d *Deps) { c.ProjectsFile, d.Projects = path, nil }
}

// limited is a projects file with one project and a limit.
func limited(events int, window string) string {
	return fmt.Sprintf("projects:\n  - id: demo\n    keys: [{name: test, sha256: %q}]\n    limit: {events: %d, window: %s}\n", hash(testKey), events, window)
}

func hash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// serve starts a gateway over a memory producer and stops it when the test ends.
func serve(t *testing.T, options ...option) *served {
	t.Helper()
	s := &served{t: t, producer: &memory{}, registry: prometheus.NewRegistry(), clock: &clock{t: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}}
	cfg := Config{
		HTTPAddr: "127.0.0.1:0", RequestTimeout: 5 * time.Second, HTTPIdleTimeout: time.Minute,
		MaxEventBytes: 1 << 20, MaxBulkBytes: 5 << 20, MaxHeaderBytes: 16 << 10, MaxInflightBytes: 64 << 20, PartitionBy: "none", KafkaCompression: "lz4",
	}
	deps := Deps{
		Metrics: s.registry, Log: slog.New(slog.DiscardHandler), DrainTimeout: 10 * time.Second,
		Projects: projects.One("demo", testKey), Producer: s.producer, Now: s.clock.now, Uptime: s.clock.elapsed,
	}
	for _, o := range options {
		o(&cfg, &deps)
	}
	g, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	l, err := g.Listen()
	if err != nil {
		t.Fatal(err)
	}
	s.Gateway, s.url = g, "http://"+l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx, l) }()
	var once sync.Once
	var result error
	s.stop = func() error {
		once.Do(func() {
			cancel()
			result = <-done
			http.DefaultClient.CloseIdleConnections()
		})
		return result
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	waitUntil(t, func() bool { return g.publisher.partitions.Load() > 0 })
	return s
}

// waitUntil waits for a condition, not for a time.
func waitUntil(t testing.TB, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatal("the condition did not come true in 20 s")
		}
	}
}

// reply is an answer, read.
type reply struct {
	status int
	header http.Header
	text   string
	body   answerFields
}

// answerFields are all fields that an answer can have.
type answerFields struct {
	Status     string      `json:"status"`
	EventID    string      `json:"event_id"`
	Error      string      `json:"error"`
	Code       string      `json:"code"`
	Retryable  *bool       `json:"retryable"`
	RequestID  string      `json:"request_id"`
	Field      string      `json:"field"`
	Limit      string      `json:"limit"`
	Accepted   int         `json:"accepted"`
	Duplicates int         `json:"duplicates"`
	Rejected   int         `json:"rejected"`
	Errors     []errorBody `json:"errors"`
	Retry      [][2]int    `json:"retry"`
	EventIDs   []*string   `json:"event_ids"`
}

// request is what a test sends.
type request struct {
	method, path, body string
	header             map[string]string
	chunked            bool
	noKey              bool
}

func (s *served) do(r request) reply {
	s.t.Helper()
	method := r.method
	if method == "" {
		method = http.MethodPost
	}
	var body io.Reader = strings.NewReader(r.body)
	if r.chunked {
		body = io.MultiReader(body) // hides the length
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+r.path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if !r.noKey {
		req.Header.Set("Authorization", "Bearer "+testKey)
	}
	for k, v := range r.header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, r.path, err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	out := reply{status: resp.StatusCode, header: resp.Header, text: string(text)}
	if len(bytes.TrimSpace(text)) > 0 {
		if err := json.Unmarshal(text, &out.body); err != nil {
			s.t.Fatalf("the answer is not JSON: %q", text)
		}
	}
	return out
}

func (s *served) single(body string) reply {
	s.t.Helper()
	return s.do(request{path: pathEvents, body: body})
}
func (s *served) bulkOf(body string) reply {
	s.t.Helper()
	return s.do(request{path: pathBulk, body: body})
}

// counter is the value of a metric; where it has labels, the sum of those with one of this value.
func (s *served) counter(name, label string) float64 {
	s.t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			is := func(l *dto.LabelPair) bool { return l.GetValue() == label }
			if f.GetName() == name && (label == "" || slices.ContainsFunc(m.GetLabel(), is)) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// events writes a JSON array of n events; edit changes the i-th.
func events(n int, edit func(i int) string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(`{"message":"event %d"}`, i)
		if edit != nil {
			if text := edit(i); text != "" {
				parts[i] = text
			}
		}
	}
	return "[" + strings.Join(parts, ",") + "]"
}
