package delivery

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// world is a topic of several partitions, a group coordinator and a table, with everything that can go wrong between
// them, around workers that insert shared blocks with the real Ranges, Settlement, Sends, Window and Hold. Workers
// crash, sleep, and go on when others have taken over. Partitions are added and given to anybody. Commits lose their
// answers, arrive late, and are stored for some of their partitions only. Inserts lose their answers, arrive late, or
// arrive in part. The engine crashes between storing a token and writing its rows, or, replicated, hides rows of a
// replica that is away. The table forgets tokens and merges copies of an event away. The topic is created anew,
// metadata gets lost, and older consumers take partitions over.
//
// Each seed is one history. At its end all faults stop, and the last workers finish. Then each record must be a row
// once, or a dead letter if the table refuses it.
type world struct {
	sharedRules

	rnd   *rand.Rand
	now   time.Time
	trace []string
	wrong string

	partitions int
	life       int // how often the topic was created anew
	blocks     uint64
	bad        map[sharedRow]bool
	twin       map[sharedRow]sharedRow // copies of one event, both ways

	generation int
	committed  map[int]commitState
	late       []lateVector
	workers    []*sharedWorker

	rows     map[sharedRow]int
	merged   map[sharedRow]bool
	dead     map[sharedRow]bool
	tokens   map[string]time.Time // by token and place: when it was stored
	flying   []sharedInsert
	appeared map[sharedRow]time.Time

	faults historyFaults
}

// historyFaults are what goes wrong in one history.
type historyFaults struct {
	weights    []int // of the faults outside of workers, in the order of world.fault
	percent    int   // how many of the usual faults a request has
	most       mostly
	pace       time.Duration // between two steps, in the mean
	remembers  time.Duration // how long the table knows a token
	reshuffled bool          // partitions are added and given to anybody
	loses      bool          // metadata gets lost
	mixed      bool          // older consumers join
	anew       bool          // the topic is created anew
	replicated bool
	merges     bool
}

// mostly is what goes wrong more often than anything else in a history: what needs several faults in a row would be too
// rare.
type mostly int

const (
	mostlyNothing mostly = iota
	mostlyLateCommits
	mostlyTornCommits
	mostlyLateInserts
	mostlyForgetting
)

// sharedRules are what can be taken away from the world. It must fail then.
type sharedRules struct {
	unrecorded  bool // ranges are inserted and not recorded
	everyAnswer bool // a partition counts as recorded if another one of its commit was
	noHold      bool // new ranges count although an earlier commit may overwrite theirs
	ownAtOnce   bool // a range that was taken over goes in under its own tokens at once
	noLook      bool // ... is not looked for before its insert
	noLookAfter bool // an answer under a shared token is believed
	noSeen      bool // a new range is not looked for where the table has higher offsets
	ownRandom   bool // own tokens differ between owners
	bypass      bool // a partition that was refused with others goes by parts
	noDoubt     bool // the answer to a second insert under a shared token is believed
	idByRange   bool // the id of a shared block depends on offsets only
	trusting    bool // inserts start however long ago the table was asked, and the group
	hasty       bool // the table is asked although it may have forgotten the token too early
	noGap       bool // after metadata was lost, the table is asked at once
	noGapSet    bool // ... and after the group's offset was set or deleted
	noOldGap    bool // an older consumer takes over shared blocks at once
	twoBlocks   bool // a block is sent as two under one token
	noWindow    bool // the table stores no tokens
	lagging     bool // a read misses rows of a replica that is away
	shortWindow bool // the table forgets sooner than it is said to
}

type sharedRow struct {
	life, partition int
	offset          int64
}

type commitState struct {
	head     int64
	metadata string
}

type lateVector struct {
	at         time.Time
	generation int
	states     map[int]commitState
}

type sharedInsert struct {
	at    time.Time
	rows  []sharedRow
	token string
}

const (
	sharedRecords = 16 // of a partition
	sharedLife    = 8 * time.Second
)

func newWorld(seed uint64, r sharedRules) *world {
	w := &world{
		sharedRules: r, rnd: rand.New(rand.NewPCG(seed, 2)), now: sealed, partitions: 4,
		bad: map[sharedRow]bool{}, twin: map[sharedRow]sharedRow{}, committed: map[int]commitState{},
		rows: map[sharedRow]int{}, merged: map[sharedRow]bool{}, dead: map[sharedRow]bool{},
		tokens: map[string]time.Time{}, appeared: map[sharedRow]time.Time{},
	}
	f := &w.faults
	f.percent = []int{30, 60, 100}[seed/7%3]
	f.reshuffled, f.loses, f.mixed = seed%4 > 0, seed%4 == 2, seed%4 == 3
	f.replicated, f.merges, f.anew = seed/4%3 == 1, seed/8%4 == 1, seed/16%4 == 1
	f.most, f.remembers = mostly(seed%5), time.Minute
	f.weights = []int{10, 6, 10, 10, 2, 8, 4, 8, 3, 330}
	if f.most == mostlyForgetting {
		f.weights[5], f.remembers = 30, 20*time.Second
	}
	if f.anew {
		f.weights[8] = 15
	}
	f.pace = time.Second / 3
	if f.most >= mostlyLateInserts {
		f.pace = time.Second / 15 // so that much is done while an insert is on its way
	}
	if seed%10 == 0 || f.most == mostlyLateInserts {
		f.weights[0] = 40 // a storm of rebalances
	}
	if seed/4%3 == 0 {
		for p := range 6 {
			for o := range int64(sharedRecords) {
				if w.chance(7) {
					w.bad[sharedRow{0, p, o}] = true
				}
			}
		}
	}
	if f.merges {
		for o := range int64(sharedRecords) {
			one, two := sharedRow{0, 0, o}, sharedRow{0, 1, sharedRecords - 1 - o}
			if o%3 == 0 && !w.bad[one] && !w.bad[two] {
				w.twin[one], w.twin[two] = two, one
			}
		}
	}
	return w
}

func (w *world) chance(percent int) bool { return w.rnd.IntN(100) < percent }

// luck decides about a request: the lower, the worse.
func (w *world) luck(percent int) int {
	if percent == 0 {
		return 100
	}
	return w.rnd.IntN(100) * 100 / percent
}

func (w *world) window() Window { return Window{Life: sharedLife, Remembers: w.faults.remembers} }

// within is a time of at most d from now.
func (w *world) within(d time.Duration) time.Time {
	return w.now.Add(time.Duration(w.rnd.Int64N(int64(d))))
}

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%7.2f ", w.now.Sub(sealed).Seconds())+fmt.Sprintf(format, args...))
}

func (w *world) fail(format string, args ...any) {
	if w.wrong == "" {
		w.wrong = fmt.Sprintf(format, args...)
	}
}

// place is the table partition and the shard of a row. Each stores its own tokens.
func (r sharedRow) place() int64 {
	month := []int64{0, 0, 1, 2}[(int64(r.partition)*5+r.offset*3)%4]
	return month*2 + (int64(r.partition)+r.offset)/3%2
}

// put does what the table does with a block: it writes a part for each place, once a token.
func (w *world) put(rows []sharedRow, token string, percent int, crash bool) {
	blocks := [][]sharedRow{rows}
	if w.twoBlocks && len(rows) > 1 {
		blocks = [][]sharedRow{rows[:len(rows)/2], rows[len(rows)/2:]}
	}
	for _, block := range blocks {
		parts := map[int64][]sharedRow{}
		for _, row := range block {
			parts[row.place()] = append(parts[row.place()], row)
		}
		for _, place := range slices.Sorted(maps.Keys(parts)) {
			key := fmt.Sprint(token, "@", place)
			if _, known := w.tokens[key]; known || !w.chance(percent) {
				continue
			}
			if !w.noWindow {
				w.tokens[key] = w.now
			}
			if crash && !w.faults.replicated && w.chance(40) {
				continue // the token is noted, the rows are lost
			}
			for _, row := range parts[place] {
				if row.life != w.life {
					continue
				}
				w.appeared[row] = w.now
				if w.rows[row]++; w.rows[row] > 1 {
					w.fail("partition %d, offset %d is there twice", row.partition, row.offset)
				}
			}
		}
	}
}

// hides says whether a read misses a row that only a replica has that is away.
func (w *world) hides(row sharedRow) bool {
	return w.lagging && w.faults.replicated && w.now.Sub(w.appeared[row]) < 5*time.Second && w.chance(20)
}

// store takes what a commit has of some partitions.
func (w *world) store(states map[int]commitState) {
	for p, s := range states {
		w.committed[p] = s
		for o := range s.head {
			row := sharedRow{w.life, p, o}
			if w.rows[row] == 0 && !w.dead[row] && !w.merged[row] {
				w.fail("partition %d: the head %d is past %d, which is not in", p, s.head, o)
			}
		}
	}
}

func (w *world) land(i int, crash bool) {
	f := w.flying[i]
	w.flying = slices.Delete(w.flying, i, i+1)
	w.note("late insert of %s", f.token)
	w.put(f.rows, f.token, []int{100, 100, 60, 0}[w.rnd.IntN(4)], crash)
}

func (w *world) landAll(crash bool) {
	for len(w.flying) > 0 {
		w.land(0, crash)
	}
}

func (w *world) arrive(i int) {
	c := w.late[i]
	w.late = slices.Delete(w.late, i, i+1)
	if c.generation == w.generation {
		w.note("late commit %v", c.states)
		w.store(c.states)
	}
}

// pass lets time pass, and what was on its way until then arrive.
func (w *world) pass(d time.Duration) {
	w.now = w.now.Add(d)
	for i := len(w.flying) - 1; i >= 0; i-- {
		if !w.flying[i].at.After(w.now) {
			w.land(i, false)
		}
	}
	for i := len(w.late) - 1; i >= 0; i-- {
		if !w.late[i].at.After(w.now) {
			w.arrive(i)
		}
	}
}

// fault lets something go wrong outside of the workers.
func (w *world) fault() {
	n := 0
	for _, weight := range w.faults.weights {
		n += weight
	}
	n = w.rnd.IntN(n)
	which := 0
	for n >= w.faults.weights[which] {
		n -= w.faults.weights[which]
		which++
	}
	switch which {
	case 0:
		w.assign(false)
	case 1:
		if len(w.workers) > 0 {
			i := w.rnd.IntN(len(w.workers))
			gone := w.workers[i]
			w.note("worker %d crashes", gone.name)
			w.workers = slices.Delete(w.workers, i, i+1)
			if gone.generation == w.generation {
				w.assign(false)
			}
		}
	case 2:
		if len(w.late) > 0 {
			w.arrive(w.rnd.IntN(len(w.late)))
			if w.faults.most == mostlyLateCommits {
				w.assign(false)
			}
		}
	case 3:
		if len(w.flying) > 0 {
			w.land(w.rnd.IntN(len(w.flying)), false)
		}
	case 4:
		w.note("the engine crashes")
		w.landAll(true)
	case 5:
		w.forget()
	case 6:
		w.pass(time.Duration(w.rnd.Int64N(int64(30 * time.Second))))
	case 7:
		if len(w.workers) > 0 {
			one := w.workers[w.rnd.IntN(len(w.workers))]
			one.asleep = w.within(30 * time.Second)
			w.note("worker %d sleeps for %s", one.name, one.asleep.Sub(w.now))
		}
	case 8:
		w.merge()
		if w.faults.anew && w.life == 0 && w.chance(30) {
			w.createAnew()
		}
	}
}

// forget drops tokens of shared blocks that the table has had for long enough. A range with a block of its own may be
// asked about at once; what that does not cover is in the documentation of package consumer.
func (w *world) forget() {
	limit := w.faults.remembers
	if w.shortWindow {
		limit = 6 * time.Second
	}
	maps.DeleteFunc(w.tokens, func(token string, stored time.Time) bool {
		return (w.shortWindow || strings.Contains(token, "/shared/")) && w.now.Sub(stored) > limit
	})
}

// merge removes one of two copies of an event.
func (w *world) merge() {
	for row, twin := range w.twin {
		row.life, twin.life = w.life, w.life
		if row.partition == 0 && w.rows[row] > 0 && w.rows[twin] > 0 {
			w.note("partition %d, offset %d is merged away", row.partition, row.offset)
			w.rows[row], w.merged[row] = 0, true
		}
	}
}

// createAnew deletes the topic and creates another one under its name. The old rows expire, their tokens do not.
func (w *world) createAnew() {
	w.note("topic created anew")
	w.landAll(false)
	w.life++
	w.workers, w.late, w.committed = nil, nil, map[int]commitState{}
	w.rows, w.merged, w.dead = map[sharedRow]int{}, map[sharedRow]bool{}, map[sharedRow]bool{}
	w.assign(false)
}

// assign shares the partitions among two new workers. Those that had them do not know yet.
func (w *world) assign(last bool) {
	w.generation++
	whole := true
	old := false
	if w.faults.reshuffled {
		whole = w.chance(50)
		if w.chance(20) {
			w.partitions = min(6, w.partitions+1)
		}
	}
	if w.faults.loses && !last && len(w.committed) > 0 && w.chance(50) {
		w.lose(w.rnd.IntN(w.partitions))
	}
	if w.faults.mixed && !last {
		old = w.chance(33)
	}
	owned := make([][]int, 2)
	for p := range w.partitions {
		n := p % 2
		if !whole {
			n = w.rnd.IntN(2)
		}
		owned[n] = append(owned[n], p)
	}
	for n, mine := range owned {
		if len(mine) > 0 {
			w.workers = append(w.workers, newSharedWorker(w, n, mine, old))
		}
	}
	if len(w.workers) > 5 {
		w.workers = w.workers[len(w.workers)-5:]
	}
}

// lose makes what the group knows about a partition unreadable, or sets or deletes its offset. The offset of a
// partition without rows stays: if that is set or deleted, nothing shows that there was an owner.
func (w *world) lose(p int) {
	head, left := w.rnd.Int64N(w.committed[p].head+1), "lost"
	if w.used(p) && w.chance(50) {
		left = ""
	}
	w.note("partition %d: its metadata is %q, its head %d", p, left, head)
	w.committed[p] = commitState{head, left}
}

// used says whether the table has rows of a partition.
func (w *world) used(p int) bool {
	for row, n := range w.rows {
		if n > 0 && row.partition == p {
			return true
		}
	}
	return false
}

// run plays one history. It returns what is wrong at its end, or nothing.
func (w *world) run() string {
	w.assign(false)
	if w.faults.most == mostlyForgetting {
		w.workers[0].useUp()
	}
	for range 500 {
		w.pass(time.Duration(w.rnd.ExpFloat64() * float64(w.faults.pace)))
		w.fault()
		var awake, owners []*sharedWorker
		for _, one := range w.workers {
			if !one.asleep.After(w.now) {
				awake = append(awake, one)
				if one.generation == w.generation {
					owners = append(owners, one)
				}
			}
		}
		if len(owners) > 0 && w.chance(50) {
			awake = owners
		}
		if len(awake) > 0 {
			awake[w.rnd.IntN(len(awake))].step(w.faults.percent)
		}
		if w.wrong != "" {
			return w.wrong
		}
	}
	w.assign(true)
	var last, before []*sharedWorker
	for _, one := range w.workers {
		if one.generation == w.generation {
			last = append(last, one)
		} else {
			before = append(before, one)
		}
	}
	for i := 0; !w.finished(); i++ {
		if w.wrong != "" {
			return w.wrong
		}
		if i > 12000 {
			return fmt.Sprintf("stuck at %v", w.committed)
		}
		w.pass(30 * time.Millisecond)
		if i%8 == 0 && len(before) > 0 {
			before[w.rnd.IntN(len(before))].step(0)
		} else {
			last[w.rnd.IntN(len(last))].step(0)
		}
	}
	w.pass(100 * time.Second)
	return w.check()
}

func (w *world) finished() bool {
	for p := range w.partitions {
		if w.committed[p].head < sharedRecords {
			return false
		}
	}
	return true
}

func (w *world) check() string {
	for p := range w.partitions {
		for o := range int64(sharedRecords) {
			row := sharedRow{w.life, p, o}
			n := w.rows[row]
			if w.merged[row] {
				twin := w.twin[sharedRow{0, p, o}]
				twin.life = w.life
				n += w.rows[twin]
				n = min(n, 1)
			}
			if bad := w.bad[sharedRow{0, p, o}]; bad && (n != 0 || !w.dead[row]) || !bad && (n != 1 || w.dead[row]) {
				w.fail("partition %d, offset %d: %d rows, dead %v", p, o, n, w.dead[row])
			}
		}
	}
	return w.wrong
}
