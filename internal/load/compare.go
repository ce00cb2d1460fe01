package load

import (
	"fmt"
	"unsafe"

	"github.com/google/uuid"
)

// comparison is the result of reading a run's rows once.
type comparison struct {
	*verifier
	project string
	result  Verification
	body    []byte
	listed  map[string]int
}

// row classifies one row. It never returns an error.
func (c *comparison) row(r *row) error {
	c.result.Rows++
	index, ok := c.gen.find(r)
	if !ok || index >= c.claimed {
		c.result.Foreign++
		c.example("foreign", r.id, "has the run's tag, but the run has no such id")
		return nil
	}
	switch before := c.ledger.add(index, stored); {
	case before&(acknowledged|maybe|rejected) == 0:
		c.result.Foreign++
		c.example("foreign", r.id, "event %d of the run was never sent, or only in requests that got 429", index)
	case before&doubled != 0:
	case before&stored != 0:
		c.ledger.add(index, doubled)
		c.result.Doubled++
		c.example("doubled", r.id, "event %d of the run has more than one row", index)
	case before&(acknowledged|maybe) == 0:
		c.result.RejectedStored++
		c.example("rejected_stored", r.id, "event %d of the run was refused for good", index)
	}
	if difference := c.differs(r, index); difference != "" {
		c.result.Altered++
		c.example("altered", r.id, "event %d of the run: %s", index, difference)
	}
	return nil
}

// differs describes the first difference between the row and the event sent; "" for none.
func (c *comparison) differs(r *row, index int64) string {
	c.body = c.gen.append(c.body[:0], index)
	if sent := unsafe.String(unsafe.SliceData(c.body), len(c.body)); r.payload != sent { // saves a copy for each row
		return difference(sent, r.payload)
	}
	if c.project == "" {
		c.project = r.project
	}
	want := c.gen.expect(index)
	for _, column := range []struct{ name, want, got string }{
		{"project_id", c.project, r.project},
		{"message", want.message, r.message},
		{"level", want.level, r.level},
		{"environment", want.environment, r.environment},
	} {
		if column.got != column.want {
			return fmt.Sprintf("%s is %q, not %q", column.name, column.got, column.want)
		}
	}
	// A gateway whose clock differs much from ours replaces the time and sets timestamp_adjusted. That is no
	// alteration.
	if off := r.millis - want.millis; !r.adjusted && max(off, -off) > want.slack {
		return fmt.Sprintf("timestamp is %d ms, not %d ms", r.millis, want.millis)
	}
	return ""
}

// difference describes the first difference of two payloads.
func difference(sent, got string) string {
	at := 0
	for at < len(sent) && at < len(got) && sent[at] == got[at] {
		at++
	}
	const around = 24
	cut := func(s string) string { return s[max(0, min(at-around, len(s))):min(len(s), at+around)] }
	return fmt.Sprintf("payload of %d bytes, not %d, differs from byte %d: %q, not %q", len(got), len(sent), at,
		cut(got), cut(sent))
}

// example keeps the first maxExamples of each kind.
func (c *comparison) example(kind string, id uuid.UUID, format string, args ...any) {
	if c.listed == nil {
		c.listed = map[string]int{}
	}
	if c.listed[kind]++; c.listed[kind] <= maxExamples {
		c.result.Examples = append(c.result.Examples,
			Example{Kind: kind, EventID: id.String(), Detail: fmt.Sprintf(format, args...)})
	}
}
