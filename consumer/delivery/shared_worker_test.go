package delivery

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"
)

// sharedWorker is a consumer for one generation of the group, with the partitions that it has in it.
type sharedWorker struct {
	w          *world
	name       int
	generation int
	old        bool // of a version that knows no shared blocks
	ready      time.Time
	assigned   time.Time
	asleep     time.Time
	lost       bool
	begun      bool
	mine       []*sharedPartition
	sends      map[uint64]*Sends
}

type sharedPartition struct {
	*Ranges

	id      int
	jobs    []*sharedJob
	unsaved bool
	hold    Hold
	proof   time.Time // when the group last took the worker for the owner
}

type sharedJob struct {
	*Settlement

	of       *sharedPartition
	rng      Range
	recorded bool
	carried  bool // a commit that is under way has it
	marking  bool
	replayed bool
	sent     time.Time // something that was not answered
}

func newSharedWorker(w *world, n int, mine []int, old bool) *sharedWorker {
	k := &sharedWorker{
		w: w, name: 10*w.generation + n, generation: w.generation, old: old, ready: w.now, assigned: w.now,
		sends: map[uint64]*Sends{},
	}
	for _, id := range mine {
		k.mine = append(k.mine, &sharedPartition{id: id, proof: w.now})
	}
	for _, p := range k.mine { // the states are read at once, the table is asked when the worker is ready
		state := w.committed[p.id]
		recorded, _, ok := DecodeMetadata(state.head, state.metadata)
		gap := false
		if !ok {
			gap = !w.noGap
		}
		if state.metadata == "" && w.used(p.id) {
			gap = !w.noGapSet
		}
		for i := range recorded {
			if old && recorded[i].Shared != 0 { // it takes the flag for a mark and does not know the id
				recorded[i].Shared, recorded[i].Split = 0, SplitForRow
				gap = gap || !w.noOldGap
			}
		}
		if gap {
			k.ready = w.now.Add(TokenTrust + sharedLife)
		}
		p.Ranges = NewRanges(state.head, recorded, Origin{}, -1)
		w.note("worker %d has partition %d: head %d, %v, old %v", k.name, p.id, state.head, recorded, old)
	}
	return k
}

// begin asks the table for the highest offsets.
func (k *sharedWorker) begin() {
	k.begun = true
	for _, p := range k.mine {
		for row, n := range k.w.rows {
			if n > 0 && row.partition == p.id && row.offset >= p.head && !k.w.noSeen {
				p.seen = max(p.seen, row.offset)
			}
		}
		for _, one := range p.ranges {
			j := k.job(p, one, true)
			j.recorded, j.replayed = true, true
			p.jobs = append(p.jobs, j)
		}
	}
}

func (k *sharedWorker) job(p *sharedPartition, one Range, uncertain bool) *sharedJob {
	var offsets []int64
	for o := one.First; o <= one.Last; o++ {
		offsets = append(offsets, o)
	}
	own := one.Own("t", "events", p.id)
	if own != "" && k.w.ownRandom {
		own += fmt.Sprint("/", k.name)
	}
	j := &sharedJob{of: p, rng: one, Settlement: Settle(Block{
		Token: one.Token("t", "events", p.id), Own: own, Offsets: offsets, SealedAt: one.SealedAt,
		Uncertain: uncertain || p.Uncertain(one, k.w.now), Split: one.Split, TokenDurable: k.w.faults.replicated,
	})}
	if uncertain && k.w.noLook {
		j.state = stateWhole
	}
	places, weights := make([]int32, len(offsets)), make([]int64, len(offsets))
	for i, o := range offsets {
		places[i], weights[i] = int32(sharedRow{0, p.id, o}.place()), 1
	}
	j.SetPlaces(places, weights)
	return j
}

// step does one thing.
func (k *sharedWorker) step(percent int) {
	if k.lost || k.ready.After(k.w.now) {
		return
	}
	if !k.begun {
		k.begin()
	}
	var unsaved, unrecorded bool
	var jobs []*sharedJob
	for _, p := range k.mine {
		unsaved = unsaved || p.unsaved
		for _, j := range p.jobs {
			unrecorded = unrecorded || !j.recorded || j.marking
			jobs = append(jobs, j)
		}
	}
	x := k.w.rnd.IntN(100)
	switch {
	case unsaved && (unrecorded && x < 60 || x < 20):
		k.commit(percent)
	case x < 60 && k.seal():
	case len(jobs) > 0:
		k.work(jobs[k.w.rnd.IntN(len(jobs))], percent)
	case unsaved:
		k.commit(percent)
	}
}

// seal cuts ranges of some partitions, which share a block if there are several. It returns false if there was nothing
// to cut.
func (k *sharedWorker) seal() bool {
	cut := map[*sharedPartition]Range{}
	var of []*sharedPartition
	for _, p := range k.mine {
		waits := slices.ContainsFunc(p.jobs, func(j *sharedJob) bool { return !j.recorded })
		n := k.w.rnd.Int64N(4)
		if k.w.faults.anew { // alike in each life of the topic
			n = 2
		}
		n = min(n, sharedRecords-p.End())
		if n <= 0 || p.Full() || waits {
			continue
		}
		one := Range{First: p.End(), Last: p.End() + n - 1, Records: int(n), SealedAt: k.w.now}
		one.Hash = hashOf(k.w.life, p.id, one.First, one.Last)
		cut[p] = one
		of = append(of, p)
	}
	id := uint64(0)
	if len(of) > 1 && !k.old {
		k.w.blocks++
		id = k.w.blocks
		if k.w.idByRange {
			id = 14695981039346656037
			for _, p := range of {
				id = id*31 + hashOf(p.id, cut[p].First, cut[p].Last)
			}
		}
	}
	for _, p := range of {
		one := cut[p]
		one.Shared = id
		if err := p.Record(one); err != nil {
			k.w.fail("%v", err)
		}
		j := k.job(p, one, false)
		j.recorded = k.w.unrecorded
		p.jobs = append(p.jobs, j)
		p.unsaved = true
		k.w.note("worker %d seals %d of partition %d-%d for block %d", k.name, p.id, one.First, one.Last, id)
	}
	return len(of) > 0
}

func hashOf(of ...any) uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, of...)
	return h.Sum64()
}

// commit sends the heads and ranges of some partitions at once.
func (k *sharedWorker) commit(percent int) {
	w := k.w
	if k.generation != w.generation {
		w.note("worker %d learns that it is out", k.name)
		k.lost = true
		return
	}
	states, stored := map[int]commitState{}, map[int]commitState{}
	var sent []*sharedPartition
	all := w.chance(70)
	for _, p := range k.mine {
		if !p.unsaved || !all && w.chance(50) {
			continue
		}
		sent = append(sent, p)
		states[p.id] = commitState{p.head, p.Metadata()}
		if w.unrecorded {
			states[p.id] = commitState{p.head, ""}
		}
		if w.chance(50) {
			stored[p.id] = states[p.id]
		}
		for _, j := range p.jobs {
			j.carried = true
		}
	}
	x := w.luck(percent)
	if percent > 0 && w.chance(25) {
		switch w.faults.most {
		case mostlyLateCommits:
			x = 8
		case mostlyTornCommits:
			x = 18
		}
	}
	answered := states
	switch {
	case x < 4:
		w.store(states)
	case x < 8:
		w.store(stored)
	case x < 15 && !k.old:
		w.late = append(w.late, lateVector{w.within(6 * time.Second), k.generation, states})
	case x < 18:
	case x < 24:
		w.store(stored)
		answered = stored
	default:
		w.store(states)
	}
	if x < 18 {
		for _, p := range sent {
			p.hold.Unanswered(w.now)
		}
		w.note("worker %d: no answer to the commit of %v", k.name, states)
		return
	}
	w.note("worker %d: answered %v of %v", k.name, answered, states)
	for _, p := range sent {
		if _, ok := answered[p.id]; ok || w.everyAnswer && len(answered) > 0 {
			k.saved(p)
		}
	}
}

// saved takes the answer to a commit of a partition.
func (k *sharedWorker) saved(p *sharedPartition) {
	p.proof = k.w.now
	p.unsaved = false
	counts := p.hold.Counts(k.w.now) || k.w.noHold
	for _, j := range p.jobs {
		if !j.recorded && !counts {
			p.unsaved = true // and again later
			continue
		}
		j.recorded, j.marking = true, false
	}
}

// useUp inserts the range of one partition of a shared block. The others are left for long.
func (k *sharedWorker) useUp() {
	k.begin()
	k.seal()
	k.commit(0)
	for _, p := range k.mine {
		for _, j := range p.jobs {
			if j.recorded && j.Next(k.w.now) == ActionInsert && j.Piece().Shared {
				k.send([]*sharedJob{j}, 0)
				k.w.pass(k.w.faults.remembers - 5*time.Second)
				return
			}
		}
	}
}

// stale says that a job must look again, and prove that the partition is its own, before it sends anything.
func (k *sharedWorker) stale(j *sharedJob) bool {
	return !k.w.trusting && k.w.now.Sub(j.of.proof) > TokenTrust
}

// work does the next action for a range.
func (k *sharedWorker) work(j *sharedJob, percent int) {
	w := k.w
	if !j.recorded || j.marking {
		return
	}
	if w.trusting {
		j.knownAt = w.now
	}
	switch j.Next(w.now) {
	case ActionDone:
		w.note("worker %d: %d-%d of partition %d is in", k.name, j.rng.First, j.rng.Last, j.of.id)
		j.of.jobs = slices.DeleteFunc(j.of.jobs, func(o *sharedJob) bool { return o == j })
		j.of.unsaved = j.of.Inserted(j.rng.First) || j.of.unsaved
	case ActionRead:
		k.look(j, percent)
	case ActionInsert:
		if k.stale(j) {
			j.Unknown()
			return
		}
		k.insert(j, percent)
	case ActionJudge:
		row := sharedRow{w.life, j.of.id, j.offsets[j.rejected[0]]}
		if !w.bad[sharedRow{0, row.partition, row.offset}] {
			w.fail("rejects %d of partition %d", row.offset, row.partition)
		}
		w.dead[row] = true
		j.DeadLettered(j.rejected[0])
	case ActionAllRefused:
		j.Restart(true)
	}
}

// look asks the table what is missing.
func (k *sharedWorker) look(j *sharedJob, percent int) {
	w := k.w
	if !w.hasty && w.now.Before(w.window().LookFrom(j.rng, k.assigned, j.sent)) {
		return
	}
	if k.stale(j) {
		j.of.unsaved = true
		k.commit(percent)
		return
	}
	var missing []int32
	for i, o := range j.offsets {
		row := sharedRow{w.life, j.of.id, o}
		if w.rows[row] == 0 || w.hides(row) {
			missing = append(missing, int32(i))
		}
	}
	w.note("worker %d: of %d-%d of partition %d misses %v", k.name, j.rng.First, j.rng.Last, j.of.id, missing)
	if w.ownAtOnce && j.replayed && j.shared {
		j.used = map[stretch]bool{j.whole(): true}
		if len(j.offsets) == 1 && j.again[0] == 0 {
			j.again = map[int32]int{0: 1}
		}
	}
	j.Found(missing, w.now)
}

// insert sends a piece, with pieces of other partitions if it is of a shared block.
func (k *sharedWorker) insert(j *sharedJob, percent int) {
	w := k.w
	if percent > 0 && w.faults.most == mostlyForgetting && j.shared && !j.Piece().Shared && w.chance(30) {
		w.pass(4 * time.Second)
		w.assign(false)
		w.forget()
		return
	}
	together := []*sharedJob{j}
	if j.Piece().Shared {
		all := w.chance(70)
		for _, p := range k.mine {
			for _, o := range p.jobs {
				if o == j || o.rng.Shared != j.rng.Shared || !o.recorded || o.marking || !all && w.chance(50) || k.stale(o) {
					continue
				}
				if o.Next(w.now) == ActionInsert && o.Piece().Shared {
					together = append(together, o)
				}
			}
		}
	}
	slices.SortFunc(together, func(a, b *sharedJob) int { return a.of.id - b.of.id })
	k.send(together, percent)
}

func (k *sharedWorker) send(jobs []*sharedJob, percent int) {
	w := k.w
	token, sharing := jobs[0].Piece().Token, jobs[0].Piece().Shared
	var rows []sharedRow
	var members []int
	refuse := false
	for _, j := range jobs {
		for _, i := range j.rowsOf(j.Piece()) {
			rows = append(rows, sharedRow{w.life, j.of.id, j.offsets[i]})
			refuse = refuse || w.bad[sharedRow{0, j.of.id, j.offsets[i]}]
		}
		members = append(members, j.of.id)
	}
	if k.sends[jobs[0].rng.Shared] == nil {
		k.sends[jobs[0].rng.Shared] = &Sends{}
	}
	sends := k.sends[jobs[0].rng.Shared]
	doubt := sharing && sends.Doubt(members) && !w.noDoubt
	x := w.luck(percent)
	if percent > 0 && w.faults.most == mostlyLateInserts && w.chance(30) {
		x = 5
	}
	w.note("worker %d sends %v under %s: %d, doubt %v, refuse %v", k.name, rows, token, x, doubt, refuse)
	if sharing {
		sends.Sent(members)
	}
	if x >= 5 && refuse {
		k.refused(jobs, percent)
		return
	}
	switch {
	case x < 5: // lost on the way
	case x < 20: // still on its way when the worker gives up
		w.flying = append(w.flying, sharedInsert{w.within(sharedLife), rows, token})
		if w.faults.most == mostlyLateInserts && w.chance(50) {
			defer w.assign(false)
		}
	case x < 26: // in, or a part of it
		w.put(rows, token, []int{100, 50}[w.rnd.IntN(2)], false)
	case x < 28: // the engine crashes
		w.put(rows, token, []int{100, 50}[w.rnd.IntN(2)], true)
		w.landAll(true)
	case x < 31: // an error after a part went in; the worker tries again
		w.put(rows, token, 50, false)
		return
	default:
		w.put(rows, token, 100, false)
		for _, j := range jobs {
			if doubt {
				j.Doubt()
			}
			if j.Accepted(); w.noLookAfter && len(j.pieces) == 0 && len(j.rejected) == 0 {
				j.state = stateDone
			}
		}
		return
	}
	for _, j := range jobs {
		j.Unknown()
		j.sent = w.now
	}
}

// refused divides a block that the table refuses: by partitions first, then by rows.
func (k *sharedWorker) refused(jobs []*sharedJob, percent int) {
	if len(jobs) > 1 && !k.w.bypass {
		k.send(jobs[:len(jobs)/2], percent)
		k.send(jobs[len(jobs)/2:], percent)
		return
	}
	for _, j := range jobs {
		if mark, _ := j.Refused(); mark && !k.w.unrecorded {
			j.of.MarkSplit(j.rng.First, SplitForRow)
			j.of.unsaved, j.marking = true, true
		}
	}
}
