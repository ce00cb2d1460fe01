package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"sluice/consumer/alive"
	"sluice/consumer/clickhouse"
	"sluice/consumer/delivery"
	"sluice/consumer/kafka"
	"sluice/consumer/rows"
	"sluice/internal/event"
	"sluice/internal/recordbatch"
)

// journal has a line for each change that a partition made outside, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) note(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

func (j *journal) read() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.lines)
}

// outcome is how a try of something outside ends: it can fail with nothing done, and with everything done and the
// answer lost.
type outcome struct {
	done bool
	err  error
}

var (
	succeeds  = outcome{done: true}
	errAway   = fmt.Errorf("%w: connection refused", clickhouse.ErrNotSent)
	fails     = outcome{err: errAway}
	losesTail = outcome{done: true, err: errors.New("connection reset before the answer")}
)

// plan gives tries their outcomes, one after the other. Then all succeed.
type plan struct {
	mu   sync.Mutex
	next []outcome
	then outcome
}

func plans(outcomes ...outcome) *plan { return &plan{next: outcomes, then: succeeds} }

// always is a plan without an end; change ends it.
func always(o outcome) *plan { return &plan{then: o} }

func (p *plan) change(o outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next, p.then = nil, o
}

func (p *plan) take() outcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.next) == 0 {
		return p.then
	}
	o := p.next[0]
	p.next = p.next[1:]
	return o
}

// memoryTopic is a source in memory: one partition, and its committed offset. It is as unkind as its contract allows:
// it spoils a record's bytes once the loop goes on. And it checks what the consumer is for: a commit that passes a
// record which is neither in the table nor a dead letter fails the test.
type memoryTopic struct {
	dropped bool // a step drops every event: none needs to be anywhere

	t       *testing.T
	journal *journal
	table   *memoryTable
	member  kafka.Member

	fetches, commits, burials, firsts, looks *plan
	verbose                                  bool
	processor                                chan struct{} // if set: each fetch with records has it for a tenth of a second
	stuck                                    chan struct{} // if set: fetch hangs until it is closed, whatever its context says

	mu        sync.Mutex
	records   []recordbatch.Record
	start     int64 // the oldest offset there is
	end       int64 // the offset the next record gets
	grown     chan struct{}
	delivered int
	letters   map[int64]kafka.DeadLetter
	head      int64 // as committed; negative: nothing was
	metadata  string
	spans     []delivery.Range
	id        uuid.UUID
	open      int64                              // where an open transaction begins, if it is above 0
	claims    func() (first, end int64, ok bool) // if set: what Bounds answers, as long as ok
	forgot    error                              // if set: Lineage's answer
	term      int32                              // of the leader; the records that are put have it
	starts    map[int32]int64                    // where each began

	commitCalls int
}

func newMemory(t *testing.T) (*memoryTopic, *memoryTable) {
	t.Helper()
	j := &journal{}
	topic := &memoryTopic{
		t: t, journal: j, member: kafka.Member{ID: "m-1", Generation: 7, Partitions: []int{0, 3}}, grown: make(chan struct{}), letters: map[int64]kafka.DeadLetter{}, id: uuid.UUID{1}, term: 1, starts: map[int32]int64{},
		fetches: plans(), commits: plans(), burials: plans(), firsts: plans(), looks: plans(),
	}
	topic.table = &memoryTable{t: t, journal: j, topic: topic, inserts: plans(), reads: plans(), rows: map[int64]int{}, ids: map[int64]map[uuid.UUID]int{}, tokens: map[string]bool{}}
	return topic, topic.table
}

// add appends n good events.
func (m *memoryTopic) add(n int) {
	records := make([]recordbatch.Record, n)
	for i := range records {
		records[i] = plain(m.next() + int64(i))
	}
	m.put(records...)
}

func (m *memoryTopic) next() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.end
}

// put appends records, which get the next offsets, all at once.
func (m *memoryTopic) put(records ...recordbatch.Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range records {
		r.Offset, r.Term = m.end, m.term
		m.end++
		if r.Timestamp == 0 {
			r.Timestamp = time.Now().UnixMilli()
		}
		m.records = append(m.records, r)
	}
	close(m.grown)
	m.grown = make(chan struct{})
}

// hole leaves n offsets without a record.
func (m *memoryTopic) hole(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.end += n
}

// expire deletes the records before an offset, as retention does.
func (m *memoryTopic) expire(before int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.start, m.end = before, max(m.end, before)
	m.records = slices.DeleteFunc(m.records, func(r recordbatch.Record) bool { return r.Offset < before })
}

func (m *memoryTopic) from(offset int64) ([]recordbatch.Record, *kafka.Answer, chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if offset < m.start || offset > m.end {
		return nil, nil, nil, kafka.ErrOffsetOutOfRange
	}
	at := &kafka.Answer{HighWatermark: m.end, LastStable: m.end, LogStart: m.start}
	if m.open > 0 {
		at.LastStable = m.open
	}
	i, _ := slices.BinarySearchFunc(m.records, offset, func(r recordbatch.Record, o int64) int { return int(r.Offset - o) })
	const most = 7 // so that the ends of fetches and of batches differ
	out := slices.Clone(m.records[i:min(len(m.records), i+most)])
	return slices.DeleteFunc(out, func(r recordbatch.Record) bool { return r.Offset >= at.LastStable }), at, m.grown, nil
}

func (m *memoryTopic) Fetch(ctx context.Context, partition int, offset int64, wait time.Duration) (*kafka.Answer, error) {
	if partition != 0 || wait <= 0 || wait > fetchWait {
		m.t.Errorf("fetch: partition %d, wait %s", partition, wait)
	}
	if m.stuck != nil {
		<-m.stuck
		return nil, errAway
	}
	if o := m.fetches.take(); o.err != nil {
		return nil, o.err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		records, at, grown, err := m.from(offset)
		if err != nil {
			return nil, err
		}
		if m.processor != nil && len(records) > 0 {
			m.processor <- struct{}{}
			<-time.After(100 * time.Millisecond)
			<-m.processor
		}
		at.Records = m.deliver(records, at, offset)
		if len(records) > 0 || m.empty(offset) > offset {
			return at, nil
		}
		select {
		case <-grown:
		case <-timer.C:
			return at, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// empty is the next offset from one on that has a record, or the end, as the bounds of batches show it.
func (m *memoryTopic) empty(offset int64) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, _ := slices.BinarySearchFunc(m.records, offset, func(r recordbatch.Record, o int64) int { return int(r.Offset - o) })
	end := m.end
	if i < len(m.records) {
		end = m.records[i].Offset
	}
	if m.open > 0 {
		end = min(end, m.open)
	}
	return max(offset, end)
}

// deliver lends the records one after the other, each as a batch of its own, and spoils what it lent.
func (m *memoryTopic) deliver(records []recordbatch.Record, at *kafka.Answer, offset int64) func(yield func(*recordbatch.Record, error) bool) {
	return func(yield func(*recordbatch.Record, error) bool) {
		for i := range records {
			if !m.lend(&records[i], yield) {
				return
			}
			at.Next, at.Term = records[i].Offset+1, records[i].Term
		}
		if end := m.empty(max(offset, at.Next)); end > max(offset, at.Next) {
			at.Next, at.Term = end, m.ruling()
		}
	}
}

func (m *memoryTopic) lend(r *recordbatch.Record, yield func(*recordbatch.Record, error) bool) bool {
	lent := &recordbatch.Record{
		Offset: r.Offset, Timestamp: r.Timestamp, Key: slices.Clone(r.Key), Value: slices.Clone(r.Value),
		BaseOffset: r.Offset, PreviousEnd: r.Offset, Term: r.Term,
	}
	for _, h := range r.Headers {
		lent.Headers = append(lent.Headers, event.Header{Key: h.Key, Value: slices.Clone(h.Value)})
	}
	m.mu.Lock()
	m.delivered++
	m.mu.Unlock()
	defer func() {
		spoil(lent.Key)
		spoil(lent.Value)
		for _, h := range lent.Headers {
			spoil(h.Value)
		}
	}()
	return yield(lent, nil)
}

func spoil(b []byte) {
	for i := range b {
		b[i] = '#'
	}
}

// ruling is the leader's term.
func (m *memoryTopic) ruling() int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.term
}

// Lineage knows an end only of terms that are over.
func (m *memoryTopic) Lineage(_ context.Context, _ int, of int32) (kafka.Lineage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := kafka.Lineage{Topic: m.id, End: -1}
	if of == 0 || m.forgot != nil {
		return out, m.forgot
	}
	out.End = m.end
	for t, start := range m.starts {
		if t > of {
			out.End = min(out.End, start)
		}
	}
	return out, nil
}

// elect gives the partition a leader whose log has nothing from an offset on.
func (m *memoryTopic) elect(end int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records = slices.DeleteFunc(m.records, func(r recordbatch.Record) bool { return r.Offset >= end })
	m.end = min(m.end, end)
	m.term++
	m.starts[m.term] = m.end
}

func (m *memoryTopic) Bounds(context.Context, int) (first, end int64, err error) {
	if o := m.firsts.take(); o.err != nil {
		return 0, 0, o.err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.claims != nil {
		if first, end, ok := m.claims(); ok {
			return first, end, nil
		}
	}
	return m.start, m.end, nil
}

func (m *memoryTopic) Committed(context.Context, int) (int64, string, error) {
	if o := m.looks.take(); o.err != nil {
		return 0, "", o.err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.head, m.metadata, nil
}

// Commit notes a head that moves, a range that is marked as split, and every failure; with m.verbose also what is
// recorded.
func (m *memoryTopic) Commit(_ context.Context, by kafka.Member, partition int, offset int64, metadata string) error {
	if !reflect.DeepEqual(by, m.member) || partition != 0 {
		m.t.Errorf("commit by %+v for partition %d", by, partition)
	}
	spans, _, ok := delivery.DecodeMetadata(offset, metadata)
	if !ok || metadata == "" {
		m.t.Errorf("commit of %d with metadata %q", offset, metadata)
	}
	m.checkNothingPassed(offset)
	o := m.commits.take()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.commitCalls++
	what := fmt.Sprintf("commit %d", offset)
	switch {
	case errors.Is(o.err, kafka.ErrNotOwner):
		m.journal.note("%s refused", what)
		return o.err
	case o.err != nil && !o.done:
		m.journal.note("%s failed", what)
		return o.err
	}
	before, _, _ := delivery.DecodeMetadata(m.head, m.metadata)
	moved := offset != max(0, m.head)
	m.head, m.metadata, m.spans = offset, metadata, spans
	if o.err != nil {
		m.journal.note("%s answer lost", what)
		return o.err
	}
	if moved {
		m.journal.note("%s", what)
	}
	for i, s := range spans {
		known := slices.IndexFunc(before, func(o delivery.Range) bool { return o.First == s.First })
		if s.Split != delivery.Whole && (known < 0 || before[known].Split == delivery.Whole) {
			m.journal.note("split %d-%d", s.First, s.Last)
		}
		if m.verbose && known < 0 && i == len(spans)-1 {
			m.journal.note("record %d-%d", s.First, s.Last)
		}
	}
	return nil
}

// at is the committed offset.
func (m *memoryTopic) at() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.head
}

// recorded says whether an offset is in a recorded range: nothing else may be inserted.
func (m *memoryTopic) recorded(offset int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.spans, func(s delivery.Range) bool { return s.First <= offset && offset <= s.Last })
}

// checkNothingPassed fails the test if a commit passes a record that is nowhere.
func (m *memoryTopic) checkNothingPassed(offset int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.records {
		at := m.records[i].Offset
		_, dead := m.letters[at]
		if at < offset && !dead && !m.dropped && m.table.count(at) == 0 {
			m.t.Errorf("offset %d was committed while the record at %d was nowhere", offset, at)
			return
		}
	}
}

func (m *memoryTopic) Write(_ context.Context, partition int, letters []kafka.DeadLetter) error {
	if partition != 0 || len(letters) == 0 {
		m.t.Errorf("dead letters: partition %d, %d letters", partition, len(letters))
	}
	first, last := letters[0].Offset, letters[len(letters)-1].Offset
	o := m.burials.take()
	if o.done {
		m.mu.Lock()
		for _, l := range letters {
			m.letters[l.Offset] = l
		}
		m.mu.Unlock()
	}
	switch {
	case o.err == nil:
		m.journal.note("dead %d-%d", first, last)
	case o.done:
		m.journal.note("dead %d-%d answer lost", first, last)
	default:
		m.journal.note("dead %d-%d failed", first, last)
	}
	return o.err
}

// memoryTable is a table in memory that knows the tokens it has seen. It takes nothing that is not recorded.
type memoryTable struct {
	t       *testing.T
	journal *journal
	topic   *memoryTopic
	inserts *plan
	reads   *plan
	hold    chan struct{} // if set: insert waits for it to be closed, or for its context
	deaf    bool          // hold does not look at the context either
	refuses func(offset int64) bool
	code    int               // of the refusal; 0: 6
	limit   func(n int) error // if set: the error of a block that is too large

	busy   atomic.Int32
	mu     sync.Mutex
	rows   map[int64]int               // how often the row of an offset was inserted
	ids    map[int64]map[uuid.UUID]int // and with which event
	tokens map[string]bool
	sent   []string // the tokens of all inserts
	looked int
}

// takesAll ends what the table refuses, while the worker runs.
func (m *memoryTable) takesAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuses, m.limit = nil, nil
}

func (m *memoryTable) count(offset int64) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rows[offset]
}

func (m *memoryTable) Erased(*rows.Block) []int32 { return nil }

func (m *memoryTable) Highest(_ context.Context, topic string, partition int, from int64) (int64, error) {
	if topic != "events" || partition != 0 {
		m.t.Errorf("highest of %s %d", topic, partition)
	}
	if o := m.reads.take(); o.err != nil {
		return 0, o.err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	highest := int64(-1)
	for offset, n := range m.rows {
		if n > 0 && offset >= from {
			highest = max(highest, offset)
		}
	}
	return highest, nil
}

func (m *memoryTable) Held(_ context.Context, topic string, partition int, from, to int64) (int64, error) {
	if topic != "events" || partition != 0 || from > to {
		m.t.Errorf("held of %s %d from %d to %d", topic, partition, from, to)
	}
	if o := m.reads.take(); o.err != nil {
		return 0, o.err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	there := int64(0)
	for offset, n := range m.rows {
		if n > 0 && from <= offset && offset <= to {
			there++
		}
	}
	return there, nil
}

func (m *memoryTable) Missing(_ context.Context, topic string, partition int, b *rows.Block) ([]int32, error) {
	if topic != "events" || partition != 0 {
		m.t.Errorf("missing of %s %d", topic, partition)
	}
	if o := m.reads.take(); o.err != nil {
		return nil, o.err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looked++
	var missing []int32
	for i, offset := range b.Offsets() {
		if known := m.ids[offset]; m.rows[offset] == 0 || known != nil && known[b.EventIDs()[i]] == 0 {
			missing = append(missing, int32(i))
		}
	}
	return missing, nil
}

// Insert takes one block: the partitions of these tests share none.
func (m *memoryTable) Insert(ctx context.Context, token string, blocks ...*rows.Block) error {
	b := blocks[0]
	if m.busy.Add(1) > alive.Inserters {
		m.t.Error("too many inserts at once")
	}
	defer m.busy.Add(-1)
	if b.Rows() == 0 {
		m.t.Error("an insert without rows")
		return nil
	}
	for i, offset := range b.Offsets() {
		if want := fmt.Sprintf("event %d", offset); b.Message(i) != want {
			m.t.Errorf("the row of offset %d says %q", offset, b.Message(i))
		}
		if !m.topic.recorded(offset) {
			m.t.Errorf("offset %d is inserted and not recorded", offset)
		}
	}
	first, last := b.Offsets()[0], b.Offsets()[b.Rows()-1]
	if m.hold != nil {
		done := ctx.Done()
		if m.deaf {
			done = nil
		}
		select {
		case <-m.hold:
		case <-done:
			m.journal.note("insert %d-%d abandoned", first, last)
			return ctx.Err()
		}
	}
	m.mu.Lock()
	refuses, code, limit := m.refuses, m.code, m.limit
	m.mu.Unlock()
	if refuses != nil && slices.ContainsFunc(b.Offsets(), refuses) {
		m.journal.note("insert %d-%d refused", first, last)
		return &clickhouse.ServerError{Code: cmp.Or(code, 6), Text: "Cannot parse string"}
	}
	if limit != nil {
		if err := limit(b.Rows()); err != nil {
			m.journal.note("insert %d-%d too large", first, last)
			return err
		}
	}
	o := m.inserts.take()
	m.mu.Lock()
	m.sent = append(m.sent, token)
	if o.done && !m.tokens[token] {
		m.tokens[token] = true
		for i, offset := range b.Offsets() {
			if m.ids[offset] == nil {
				m.ids[offset] = map[uuid.UUID]int{}
			}
			m.ids[offset][b.EventIDs()[i]]++
			m.rows[offset]++
		}
	}
	m.mu.Unlock()
	switch {
	case o.err == nil:
		m.journal.note("insert %d-%d", first, last)
	case o.done:
		m.journal.note("insert %d-%d answer lost", first, last)
	default:
		m.journal.note("insert %d-%d failed", first, last)
	}
	return o.err
}
