package backfill

import "bytes"

// batch is some consecutive items of an input, and what became of them. One goroutine at a time owns a batch.
type batch struct {
	file     string
	sequence int64 // from 0
	events   []entry
	key      string // Idempotency-Key of a batch with a single event; mostly empty
	// offset and number are those after the last item, also of items that are no events.
	offset, number int64

	rejects    []Reject
	accepted   int64
	duplicates int64 // as counted by the gateway: an id that came twice in one request
}

// entry is an event to send.
type entry struct {
	number int64
	data   []byte
}

// cutter makes batches of the items of a splitter.
type cutter struct {
	file  string
	from  *splitter
	check checker
	most  int // events a batch

	sequence int64
	held     *entry // an event that must be sent alone, found while a batch was open
	heldKey  string
	heldEnd  [2]int64
	err      error // why the text ended
}

// idleItems is how many bad or blank items a batch without events may cover, so that progress is kept among them.
const idleItems = 10_000

// next returns the next batch, or nil at the end of the text or where reading fails; err then has the reason.
func (c *cutter) next() *batch {
	b := &batch{file: c.file, sequence: c.sequence}
	if c.held != nil {
		c.sequence++
		b.events, b.key, b.offset, b.number = []entry{*c.held}, c.heldKey, c.heldEnd[0], c.heldEnd[1]
		c.held = nil
		return b
	}
	bytesSoFar := 0
	for c.err == nil && len(b.events) < c.most && bytesSoFar < bulkBytes && len(b.rejects) < idleItems {
		it, err := c.from.next()
		if err != nil {
			c.err = err
			break
		}
		ok, fault := c.check.check(it)
		switch {
		case fault != nil:
			b.rejects = append(b.rejects, newReject(c.file, it, fault))
		case ok.key != "":
			c.held, c.heldKey = &entry{number: it.number, data: bytes.Clone(ok.data)}, ok.key
			c.heldEnd = [2]int64{it.end, it.number}
			if b.number > 0 {
				c.sequence++
				return b
			}
			return c.next()
		default:
			b.events = append(b.events, entry{number: it.number, data: bytes.Clone(ok.data)})
			bytesSoFar += len(ok.data) + 1
		}
		b.offset, b.number = it.end, it.number
	}
	if b.number == 0 {
		return nil
	}
	c.sequence++
	return b
}
