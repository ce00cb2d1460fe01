package backfill

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strconv"

	"github.com/google/uuid"

	"sluice/internal/event"
)

// checker decides like the gateway whether an item is an event, and gives an id to an event without one.
type checker struct {
	head    [sha256.Size]byte // of the input
	decoder event.Decoder
	event   event.Event
	changed []byte
	seed    []byte
}

// checked is an item that is an event.
type checked struct {
	data []byte // to send; valid until the next check
	// key is the Idempotency-Key under which the event must be sent alone: it has no id, and none can be written into
	// it. Mostly empty.
	key string
}

// check returns the event to send, or why the item is none.
func (c *checker) check(it item) (checked, *fault) {
	if it.long {
		return checked{}, &fault{Code: string(event.CodeTooLarge),
			Error: "The line is longer than the largest event, " + strconv.Itoa(maxItem) + " bytes."}
	}
	c.decoder.MaxBytes = maxItem
	if f := faultOf(c.decoder.Decode(it.data, &c.event)); f != nil {
		return checked{}, f
	}
	if c.event.HasID {
		return checked{data: it.data}, nil
	}
	id := c.id(it)
	c.changed = append(append(c.changed[:0], `{"event_id":"`...), id.String()...)
	c.changed = append(append(c.changed, `",`...), it.data[1:]...)
	if c.decoder.Decode(c.changed, &c.event) != nil || !c.event.HasID {
		// The event names event_id already, as null, or becomes too large.
		return checked{data: it.data, key: id.String()}, nil
	}
	return checked{data: c.changed}, nil
}

// id makes the id of an event without one: a UUIDv8 of
//
//	SHA-256("sluice import id v1" NUL head number bytes)
//
// with the SHA-256 of the input's head, the number of the line as eight bytes, most significant first, and the bytes of
// the line. The file's name and time do not count. The head keeps equal lines of two files apart. People run an import
// again with later versions of this program: the input of the hash must never change.
func (c *checker) id(it item) uuid.UUID {
	b := append(c.seed[:0], "sluice import id v1\x00"...)
	b = append(b, c.head[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(it.number)) // never negative
	b = append(b, it.data...)
	c.seed = b
	sum := sha256.Sum256(b)
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// fault is why an item cannot become a row, in the gateway's words.
type fault struct {
	Code  string `json:"code"`
	Field string `json:"field,omitempty"`
	Error string `json:"error"`
}

func faultOf(err error) *fault {
	if err == nil {
		return nil
	}
	var e *event.Error
	if !errors.As(err, &e) {
		return &fault{Code: string(event.CodeMalformed), Error: err.Error()}
	}
	return &fault{Code: string(e.Code), Field: e.Field, Error: e.Reason}
}

func (f *fault) String() string {
	text := f.Code
	if f.Field != "" {
		text += ": " + f.Field
	}
	return text + ": " + f.Error
}
