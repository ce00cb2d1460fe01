package protocol

import (
	"bytes"

	"sluice/gateway/ingest"
)

// contexts merges the context of a batch into its items: an item gets the members that its own context leaves out. The
// record of an item has no other place for them.
type contexts struct {
	members [][]byte       // "name":value, of the batch's context
	number  map[string]int // of a member, by its name
	has     []bool         // which members the context of the item has
}

// merge gives the batch's context to all items. It counts once for each of them against limit, in bytes. reserve counts
// the memory that the new items take.
func (c *calls) merge(limit int, reserve func(bytes int) *ingest.Problem) *ingest.Problem {
	if len(c.context) == 0 || c.context[0] != '{' {
		return nil
	}
	if len(c.context)*len(c.items) > limit {
		return ingest.OverLimit(ingest.KindTooLarge, "The batch's context, counted once for each event, is larger than",
			ingest.LimitBulkBytes, int64(limit), "bytes")
	}
	if p := reserve(len(c.scan.Data) + len(c.context)*len(c.items)); p != nil {
		return p
	}
	c.readShared()
	for i, item := range c.items {
		if item[0] == '{' { // another item is refused later
			c.items[i] = c.withContext(item)
		}
	}
	return nil
}

// readShared reads the members of the batch's context.
func (c *calls) readShared() {
	s, shared := &c.scan, contexts{number: map[string]int{}}
	s.Reset(c.context, s.Repairs[:0])
	o := s.Object(callsBody)
	for start := s.Pos; s.Member(&o); start = s.Pos {
		s.Value()
		shared.number[s.Name(&o).String()] = len(shared.members)
		shared.members = append(shared.members, bytes.TrimLeft(c.context[start:s.Pos], ", \t\r\n"))
	}
	shared.has = make([]bool, len(shared.members))
	c.contexts = shared
}

// withContext returns an item with the members that its context lacks. An item that is not as it should be stays as it
// is.
func (c *calls) withContext(item []byte) []byte {
	to, ok := c.placeIn(item)
	if !ok {
		return item
	}
	var missing [][]byte
	for i, m := range c.contexts.members {
		if !c.contexts.has[i] {
			missing = append(missing, m)
		}
	}
	if len(missing) == 0 {
		return item
	}
	out := make([]byte, 0, len(item)+len(c.context)+len(`"context":{},`)+len(missing))
	out = append(out, item[:to.at]...)
	if !to.inContext {
		out = append(out, `"context":{`...)
	}
	out = append(out, bytes.Join(missing, []byte(","))...)
	if !to.inContext {
		out = append(out, '}')
	}
	if to.comma {
		out = append(out, ',')
	}
	return append(out, item[to.at:]...)
}

// place is where members of the batch's context belong in an item.
type place struct {
	at        int  // behind a brace
	comma     bool // other members follow
	inContext bool // the brace is that of the item's context, not the item's own
}

// placeIn returns where shared members belong in an item, and notes which of them the item has. It returns false if
// they belong nowhere.
func (c *calls) placeIn(item []byte) (to place, ok bool) {
	clear(c.contexts.has)
	s := &c.scan
	s.Reset(item, s.Repairs[:0])
	o := s.Object(callsBody)
	to.at = s.Pos
	for s.Member(&o) {
		switch {
		case o.Field != callsContext:
			to.comma = to.comma || !to.inContext
			s.Value()
		case s.Peek() != '{':
			return place{}, false
		default:
			to = place{at: s.Pos + 1, inContext: true}
			to.comma = c.noteMembers()
		}
	}
	return to, s.Fault == ""
}

// noteMembers moves over the context of an item and notes its members. It reports whether there are any.
func (c *calls) noteMembers() (some bool) {
	s := &c.scan
	for o := s.Object(callsBody); s.Member(&o); s.Value() {
		some = true
		if i, shared := c.contexts.number[s.Name(&o).String()]; shared {
			c.contexts.has[i] = true
		}
	}
	return some
}
