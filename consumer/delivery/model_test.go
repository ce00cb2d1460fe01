package delivery

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// The model is the whole way from a partition into a table with everything that can go wrong on it, around the real ranges and
// settlement: workers that crash, sleep and wake up when others have taken over, commits and inserts whose answers are lost or that
// arrive late or in part, an engine that crashes between noting a token and writing its rows, a window that forgets, a topic
// made anew, retention that removes what nobody has read, offsets without a record. Each seed is one history; at its end all faults stop and
// the last worker finishes. Then every record must be a row, once, or a dead letter if it is one that the table refuses, or was removed
// from the topic and counted as lost, once.
type model struct {
	rules rules
	rnd   *rand.Rand
	now   time.Time
	trace []string
	wrong string

	life int    // how often the topic was made anew
	bad  []bool // by offset: the table refuses it
	hole []bool // by offset: there is no record
	// start is the oldest offset on the topic. What is removed goes on counting as lost until it is clear that it was counted.
	start     int64
	retention bool  // else nothing is removed
	counted   int64 // as lost
	silent    int64 // commits that were stored have passed so many lost records, and no worker has counted them

	generation int
	head       int64
	metadata   string
	late       []lateCommit

	rows   map[modelRow]int
	tokens map[string]bool // noted by the table, token and table partition
	flying []flyingInsert
	copied map[modelRow]bool // on all replicas
	dead   map[modelRow]bool

	workers []*modelWorker

	lateCommits bool // commits may arrive after later ones
	swallows    bool // the engine may crash between a token and its rows
	session     bool // else: the partition changes hands in an instant
}

// rules are what the model can do without, to see it fail.
type rules struct {
	unrecorded bool // ranges are inserted and not recorded
	twoBlocks  bool // a block is sent as two under one token
	noWindow   bool // the table notes no tokens
	noHash     bool // the token does not depend on the content
	noDoubt    bool // the table is never asked
	replicated bool // tokens are noted together with their rows, and reads may miss what only a replica that is away has
	unsure     bool // it is not known that they are noted together
	noSkip     bool // the head does not pass what is empty with no record behind it
	noCover    bool // a range begins with its first record, not behind the range before
	atSight    bool // lost records are counted when they are missed, not when a commit passes them
	forgetful  bool // the metadata does not say how many records were lost before a range
	holesCount bool // offsets without a record count as lost
	newToken   bool // a range of which records were removed has another token

	large     bool // blocks may be too large, here and now, and not for everybody
	unclaimed bool // what is too large is halved without its token being used up
	unsized   bool // nobody is told that a range is split for its size
}

type modelRow struct {
	life   int
	offset int64
}

type lateCommit struct {
	generation int
	head       int64
	metadata   string
}

type flyingInsert struct {
	rows  []modelRow
	token string
}

type modelWorker struct {
	name       int
	generation int
	*Ranges
	next    int64 // to read
	first   int64 // of the next range
	handled int64 // the highest offset that the table had at the start
	missed  int64 // so many records are lost before the next range
	quiet   int64 // so many lost records were passed by a commit whose answer was lost
	jobs    []*modelJob
	unsaved bool      // there is something to commit
	marking *modelJob // the job whose split has to be committed first
}

type modelJob struct {
	Range
	*Settlement
	recorded bool
}

const modelRecords = 40

func newModel(seed uint64, r rules) *model {
	m := &model{
		rules: r, rnd: rand.New(rand.NewPCG(seed, 1)), now: sealed, head: -1,
		rows: map[modelRow]int{}, tokens: map[string]bool{}, dead: map[modelRow]bool{}, bad: make([]bool, modelRecords),
	}
	m.hole, m.retention = make([]bool, modelRecords), seed%3 == 1
	holes := 0
	if seed%5 < 3 {
		holes = 25
	}
	for i := range m.bad {
		m.hole[i] = m.chance(holes)
		m.bad[i] = seed%3 == 0 && m.chance(5) && !m.hole[i]
	}
	return m
}

func (m *model) chance(percent int) bool { return m.rnd.IntN(100) < percent }

func (m *model) note(format string, args ...any) {
	m.trace = append(m.trace, fmt.Sprintf(format, args...))
}

// run is one history. It returns what is wrong at its end, or nothing.
func (m *model) run(seed uint64) string {
	// Not all faults go into one history, because nothing could tell the next owner then what is still on its way. Where commits
	// arrive late, or the engine crashes between a token and its rows, the group's session, which is longer than a range is
	// trusted, lies between the last sign of one worker and the assignment to the next, as it does with a real group, and what the
	// first one sent has arrived by then. In the other histories not even that is so.
	m.lateCommits, m.swallows = seed%2 == 0, seed/2%2 == 0 && !m.rules.replicated
	if m.rules.large && m.rules.replicated {
		m.lateCommits = false // one could take back a mark, and without it an answered token is trusted there
	}
	m.session = m.lateCommits || m.swallows || m.rules.large && slices.Contains(m.bad, true)
	m.assign()
	for range 250 {
		m.now = m.now.Add(time.Duration(m.rnd.IntN(400)) * time.Millisecond)
		m.fault()
		if len(m.workers) > 0 {
			m.step(m.workers[m.rnd.IntN(len(m.workers))], true)
		}
		if m.wrong != "" {
			return m.wrong
		}
	}
	for _, w := range m.workers {
		w.generation = -1 // all are zombies now
	}
	m.land()
	m.assign()
	last := m.workers[len(m.workers)-1]
	for i := 0; (m.head < modelRecords || last.unsaved) && i < 5000; i++ {
		m.now = m.now.Add(10 * time.Millisecond)
		m.step(last, false)
		if len(m.workers) > 1 && m.chance(10) {
			m.step(m.workers[0], false)
		}
	}
	return m.check()
}

func (m *model) check() string {
	if m.wrong != "" {
		return m.wrong
	}
	if m.head != modelRecords {
		return fmt.Sprintf("stuck at %d", m.head)
	}
	lost := int64(0)
	for offset := range int64(modelRecords) {
		row := modelRow{m.life, offset}
		n := m.rows[row]
		if m.hole[offset] || offset < m.start {
			if n > 1 || n > 0 && m.hole[offset] {
				return fmt.Sprintf("offset %d: %d rows, hole %v", offset, n, m.hole[offset])
			}
			if n == 0 && !m.hole[offset] {
				lost++
			}
			continue
		}
		if m.bad[offset] && (n != 0 || !m.dead[row]) || !m.bad[offset] && (n != 1 || m.dead[row]) {
			return fmt.Sprintf("offset %d: %d rows, dead %v", offset, n, m.dead[row])
		}
	}
	// What a late commit takes back is counted again, and an insert that is still on its way makes a row of what was counted.
	if exact := m.session && !m.lateCommits; exact && (m.counted > lost || m.counted+m.silent < lost) {
		return fmt.Sprintf("%d records are lost, %d were counted, %d not by who passed them", lost, m.counted, m.silent)
	}
	return ""
}

// fault lets something happen that no worker did.
func (m *model) fault() {
	switch n := m.rnd.IntN(1000); {
	case n < 25: // a rebalance; whoever had the partition does not know yet
		m.assign()
	case n < 45 && len(m.workers) > 0: // a crash
		i := m.rnd.IntN(len(m.workers))
		w := m.workers[i]
		m.note("worker %d crashes", w.name)
		m.workers = slices.Delete(m.workers, i, i+1)
		if m.session {
			m.land()
		}
		if w.generation == m.generation {
			m.now = m.now.Add(Trusted + 5*time.Second)
			m.assign()
		}
	case n < 75 && len(m.late) > 0:
		c := m.late[0]
		m.late = m.late[1:]
		if c.generation == m.generation {
			m.note("late commit of %d", c.head)
			m.head, m.metadata = c.head, c.metadata
		}
	case n < 115 && len(m.flying) > 0:
		i := m.rnd.IntN(len(m.flying))
		f := m.flying[i]
		m.flying = slices.Delete(m.flying, i, i+1)
		m.note("late insert of %s", f.token)
		m.apply(f.rows, f.token, 100, false)
	case n < 120: // everything stands still for long, and the window forgets
		m.note("the window forgets")
		m.land()
		m.now = m.now.Add(time.Hour)
		m.tokens, m.copied = map[string]bool{}, map[modelRow]bool{}
		for row := range m.rows {
			m.copied[row] = true
		}
	case n < 155 && m.retention && m.start < modelRecords:
		m.start = min(modelRecords, m.start+int64(m.rnd.IntN(8)))
		m.note("removed before %d", m.start)
	case n >= 998 && m.life < 2: // the topic is made anew, its old rows expire, its tokens do not
		m.note("topic made anew")
		m.land()
		m.workers, m.late = nil, nil
		m.life++
		m.head, m.metadata = -1, ""
		m.rows = map[modelRow]int{}
		m.start, m.counted, m.silent = 0, 0, 0
		m.now = m.now.Add(Trusted)
		m.assign()
	}
}

// land lets what is on its way to the table arrive, or not.
func (m *model) land() {
	for _, f := range m.flying {
		m.apply(f.rows, f.token, m.rnd.IntN(101), false)
	}
	m.flying = nil
}

// assign gives the partition to a new worker.
func (m *model) assign() {
	m.generation++
	if m.session && len(m.workers) > 0 {
		m.now = m.now.Add(Trusted + 5*time.Second) // the session
		m.land()
	}
	head := max(0, m.head)
	spans, ok := DecodeMetadata(head, m.metadata)
	seen := int64(-1)
	for row, n := range m.rows {
		if n > 0 && row.offset >= head {
			seen = max(seen, row.offset)
		}
	}
	if m.rules.noDoubt {
		seen = -1
	}
	w := &modelWorker{name: m.generation, generation: m.generation, Ranges: NewRanges(head, spans, seen), handled: seen}
	for i := range spans {
		if m.rules.forgetful {
			spans[i].Lost = 0
		}
		m.reread(w, spans[i])
	}
	w.next, w.first = w.End(), w.End()
	m.note("worker %d: head %d, %d recorded (%v), seen %d", w.name, head, len(spans), ok, seen)
	m.workers = append(m.workers, w)
	if len(m.workers) > 3 {
		m.workers = m.workers[1:]
	}
}

// reread reads a recorded range again, as far as it is still on the topic.
func (m *model) reread(w *modelWorker, s Range) {
	offsets := m.offsets(s)
	there := int64(0)
	for offset := s.First; offset <= min(s.Last, m.start-1); offset++ {
		if m.rows[modelRow{m.life, offset}] > 0 {
			there++
		}
	}
	if missing := int64(s.Records - len(offsets)); missing > 0 {
		s.Unread = max(0, missing-there)
		w.Ranges.Reread(s)
	}
	if m.rules.newToken {
		s.Hash = m.hash(s)
	}
	w.jobs = append(w.jobs, m.job(w, s, true))
}

// offsets are those of a range's records that are on the topic.
func (m *model) offsets(s Range) []int64 {
	var out []int64
	for o := max(s.First, m.start); o <= s.Last; o++ {
		if !m.hole[o] {
			out = append(out, o)
		}
	}
	return out
}

// read takes in some offsets, and seals a range if there are records.
func (m *model) read(w *modelWorker) {
	if w.next < m.start {
		lost := max(0, m.start-max(w.next, w.handled+1))
		if !m.rules.holesCount {
			lost = m.records(max(w.next, w.handled+1), m.start)
		}
		m.note("worker %d: %d lost up to %d", w.name, lost, m.start)
		if m.rules.atSight {
			m.counted += lost
			lost = 0
		}
		w.next, w.missed = m.start, w.missed+lost
		m.skip(w)
		return
	}
	s := Range{First: w.first, Last: -1, SealedAt: m.now}
	for to := min(w.next+1+int64(m.rnd.IntN(6)), modelRecords); w.next < to; w.next++ {
		if m.hole[w.next] && m.rules.holesCount {
			w.missed++
		}
		if !m.hole[w.next] {
			s.Last = w.next
			if m.rules.noCover && s.Records == 0 {
				s.First = w.next
			}
			s.Records++
		}
	}
	if s.Records == 0 {
		m.skip(w)
		return
	}
	s.Lost, w.missed = w.missed, 0
	if !m.rules.noCover {
		s = w.Cover(s)
	}
	s.Hash = m.hash(s)
	if err := w.Record(s); err != nil {
		m.wrong = err.Error()
	}
	w.first = s.Last + 1
	m.note("worker %d seals %d-%d, %d records", w.name, s.First, s.Last, s.Records)
	w.jobs = append(w.jobs, m.job(w, s, false))
	w.unsaved = !m.rules.unrecorded
	if m.chance(50) {
		m.skip(w)
	}
}

// skip says that there is nothing up to what is read next.
func (m *model) skip(w *modelWorker) {
	if m.rules.noSkip || w.next <= w.first {
		return
	}
	w.first = w.next
	if w.Ranges.Skip(w.next, w.missed, 0) {
		w.unsaved = true
	}
	w.missed = 0
}

func (m *model) records(from, to int64) int64 {
	n := int64(0)
	for o := from; o < to; o++ {
		if !m.hole[o] {
			n++
		}
	}
	return n
}

func (m *model) hash(s Range) uint64 {
	if m.rules.noHash {
		return 0
	}
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, m.life, s.First, s.Last, m.offsets(s))
	return h.Sum64()
}

func (m *model) job(w *modelWorker, s Range, replayed bool) *modelJob {
	offsets := m.offsets(s)
	doubt := (replayed || w.Doubtful(s, m.now)) && !m.rules.noDoubt
	j := &modelJob{
		Range: s, recorded: replayed || m.rules.unrecorded,
		Settlement: NewSettlement(s.Token("t", "events", 0), offsets, s.SealedAt, doubt, s.Split, s.Sized),
	}
	j.Sure = m.rules.replicated && !m.rules.unsure
	for _, offset := range offsets {
		j.Places, j.Weights = append(j.Places, int32(offset%2)), append(j.Weights, 1) // see apply
	}
	return j
}

// step lets a worker do one thing.
func (m *model) step(w *modelWorker, faults bool) {
	unrecorded := slices.ContainsFunc(w.jobs, func(j *modelJob) bool { return !j.recorded })
	switch {
	case w.unsaved && (unrecorded || w.marking != nil || m.chance(30)):
		m.commit(w, faults)
	case !unrecorded && !w.Full() && w.next < modelRecords && m.chance(40):
		m.read(w)
	case w.next >= modelRecords && w.first < w.next && !unrecorded && !m.rules.noSkip:
		m.skip(w)
	case len(w.jobs) > 0:
		m.work(w, w.jobs[m.rnd.IntN(len(w.jobs))], faults)
	}
}

func (m *model) commit(w *modelWorker, faults bool) {
	metadata := w.Metadata()
	if m.rules.unrecorded {
		metadata = ""
	}
	outcome := m.rnd.IntN(100)
	switch {
	case w.generation != m.generation:
		m.note("worker %d: commit refused", w.name)
		m.workers = slices.DeleteFunc(m.workers, func(o *modelWorker) bool { return o == w })
		return
	case faults && outcome < 7: // lost before
		return
	case faults && outcome < 14 && m.lateCommits:
		m.late = append(m.late, lateCommit{w.generation, w.Head, metadata})
		return
	}
	m.head, m.metadata = w.Head, metadata
	if faults && outcome < 21 { // the answer is lost
		m.silent += w.Ranges.Lost - w.quiet
		w.quiet = w.Ranges.Lost
		return
	}
	lost, _ := w.Told()
	m.counted += lost
	m.silent -= w.quiet
	w.quiet = 0
	m.note("worker %d: committed %d and %d ranges", w.name, w.Head, len(w.Spans))
	w.unsaved = false
	w.marking = nil
	for _, j := range w.jobs {
		j.recorded = true
	}
}

// work does the next step of a range.
func (m *model) work(w *modelWorker, j *modelJob, faults bool) {
	if !j.recorded || w.marking == j {
		return
	}
	if m.rules.noDoubt {
		j.looked, j.doubt, j.mustRead = m.now, false, false
	}
	switch j.Next(m.now) {
	case StepDone:
		m.note("worker %d: %d is in", w.name, j.First)
		w.jobs = slices.DeleteFunc(w.jobs, func(o *modelJob) bool { return o == j })
		w.unsaved = w.Inserted(j.First) || w.unsaved
	case StepRead:
		if m.session && w.generation != m.generation {
			m.commit(w, false) // whoever doubts makes sure first that the partition is still its own
			return
		}
		if faults && m.chance(10) {
			return
		}
		var missing []int32
		for i, offset := range j.Offsets {
			row := modelRow{m.life, offset}
			if m.rows[row] == 0 || m.hides(row, faults) {
				missing = append(missing, int32(i)) //nolint:gosec // small
			}
		}
		m.note("worker %d: %d misses %v", w.name, j.First, missing)
		j.Found(missing, m.now)
	case StepInsert:
		m.insert(w, j, faults)
	case StepSuspects:
		row := modelRow{m.life, j.Offsets[j.Suspects[0]]}
		if !m.bad[row.offset] {
			m.wrong = fmt.Sprintf("suspects %d", row.offset)
		}
		m.dead[row] = true
		j.Buried(j.Suspects[0])
	case StepHopeless:
		j.Restart(true)
	}
}

// tooLarge is what a worker does about a block that is too large.
func (m *model) tooLarge(w *modelWorker, j *modelJob) {
	if m.rules.unclaimed {
		p := j.Pieces[0]
		if !j.Settlement.Sized {
			j.Settlement.split, j.Settlement.Sized = true, true
			j.Unknown()
			w.Splits(j.First, true)
			w.unsaved, w.marking = true, j
			return
		}
		j.Pieces = j.Pieces[1:]
		j.halve(p.stretch, j.RowsOf(p))
		return
	}
	switch j.Settlement.TooLarge() {
	case SizeMark:
		if m.rules.unsized {
			return
		}
		w.Splits(j.First, true)
		w.unsaved, w.marking = true, j
	case SizeStuck:
		j.Restart(false)
	}
}

func (m *model) insert(w *modelWorker, j *modelJob, faults bool) {
	p := j.Pieces[0]
	var rows []modelRow
	refuse := false
	for i, offset := range j.Offsets {
		if p.Rows == nil || slices.Contains(p.Rows, int32(i)) { //nolint:gosec // small
			rows = append(rows, modelRow{m.life, offset})
			refuse = refuse || m.bad[offset]
		}
	}
	outcome := m.rnd.IntN(100)
	switch {
	case m.rules.large && faults && m.chance(min(60, 15*(len(rows)-1))):
		m.note("worker %d: %s is too large", w.name, p.Token)
		if !refuse && m.chance(20) { // it got there in part all the same, before the limit was met
			m.apply(rows, p.Token, m.rnd.IntN(101), false)
		}
		m.tooLarge(w, j)
	case refuse && !(faults && outcome < 10):
		if mark, _ := j.Refuse(); mark && !m.rules.unrecorded {
			w.Splits(j.First, false)
			w.unsaved, w.marking = true, j
		}
	case refuse || faults && outcome < 8: // it never got there
		j.Unknown()
	case faults && outcome < 18: // it got there, wholly or in part, and the answer is lost
		m.apply(rows, p.Token, m.rnd.IntN(101), true)
		j.Unknown()
	case faults && outcome < 26: // it is still on its way when the worker gives up on it
		m.flying = append(m.flying, flyingInsert{rows, p.Token})
		j.Unknown()
	case faults && outcome < 31: // an error after a part of it; the same again
		m.apply(rows, p.Token, 50, false)
	default:
		m.apply(rows, p.Token, 100, false)
		m.note("worker %d: inserted %s", w.name, p.Token)
		j.Accepted()
	}
}

// hides says whether a read misses a row, because it waits for no quorum and the one replica that has it is away. The row's token is
// known all the same. Where ranges are cut anew, as after a late commit, or halved for their size, a read must not miss any: that takes a
// quorum.
func (m *model) hides(row modelRow, faults bool) bool {
	return m.rules.replicated && !m.rules.large && !m.lateCommits && faults && !m.copied[row] && m.chance(15)
}

// apply is what the table does with a block: a part for each table partition, of which there are two, and each once a token.
func (m *model) apply(rows []modelRow, token string, percent int, crash bool) {
	blocks := [][]modelRow{rows}
	if m.rules.twoBlocks && len(rows) > 1 {
		blocks = [][]modelRow{rows[:len(rows)/2], rows[len(rows)/2:]}
	}
	for _, block := range blocks {
		for part := range int64(2) {
			var mine []modelRow
			for _, row := range block {
				if row.offset%2 == part {
					mine = append(mine, row)
				}
			}
			key := fmt.Sprint(token, "@", part)
			if len(mine) == 0 || m.tokens[key] || m.rnd.IntN(100) >= percent {
				continue
			}
			m.tokens[key] = !m.rules.noWindow
			if crash && m.swallows && m.chance(15) {
				continue // the token is noted, the rows are lost
			}
			for _, row := range mine {
				if m.rows[row]++; m.rows[row] > 1 && m.wrong == "" {
					m.wrong = fmt.Sprintf("offset %d is there twice", row.offset)
				}
			}
		}
	}
}

// histories counts the histories that end badly, and returns the first.
func histories(seeds uint64, r rules) (int, string) {
	n, first := 0, ""
	for seed := range seeds {
		m := newModel(seed, r)
		if wrong := m.run(seed); wrong != "" {
			if n++; n == 1 {
				first = fmt.Sprintf("seed %d: %s\n%s", seed, wrong, strings.Join(m.trace, "\n"))
			}
		}
	}
	return n, first
}

const modelSeeds = 3000

// Whatever happens, every record is a row once.
func TestModel(t *testing.T) {
	t.Parallel()
	if n, first := histories(modelSeeds, rules{}); n > 0 {
		t.Errorf("%d of %d histories end badly; the first, %s", n, modelSeeds, first)
	}
}

// The same on a replicated table, parts of which a read may not see.
func TestModelReplicated(t *testing.T) {
	t.Parallel()
	if n, first := histories(modelSeeds, rules{replicated: true}); n > 0 {
		t.Errorf("%d of %d histories end badly; the first, %s", n, modelSeeds, first)
	}
}

// The same where blocks are too large at times, so that they are halved by some and get in whole from others.
func TestModelTooLarge(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]rules{"plain": {large: true}, "replicated": {large: true, replicated: true}} {
		t.Run(name, func(t *testing.T) {
			if n, first := histories(modelSeeds, r); n > 0 {
				t.Errorf("%d of %d histories end badly; the first, %s", n, modelSeeds, first)
			}
		})
	}
}

// The same without one of the things it rests on goes wrong, and the model sees it.
func TestModelWithout(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]rules{
		"recording":             {unrecorded: true},
		"one block a token":     {twoBlocks: true},
		"a window":              {noWindow: true},
		"the hash in the token": {noHash: true, noDoubt: true},
		"a look at the table":   {noDoubt: true},
		"trust in an answer":    {replicated: true, unsure: true},
		"passing what is empty": {noSkip: true},
		"ranges without holes":  {noCover: true},
		"counting at a commit":  {atSight: true},
		"noting what is lost":   {forgetful: true},
		"knowing holes":         {holesCount: true},
		"the recorded token":    {newToken: true, replicated: true},
		"a claim":               {large: true, unclaimed: true},
		"the mark of a size":    {large: true, replicated: true, unsized: true},
	} {
		t.Run(name, func(t *testing.T) {
			n, _ := histories(modelSeeds/3, r)
			t.Logf("%d of %d histories end badly", n, modelSeeds/3)
			if n == 0 {
				t.Error("nothing goes wrong without it")
			}
		})
	}
}
