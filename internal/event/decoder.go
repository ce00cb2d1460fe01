package event

import "sluice/internal/strictjson"

// maxDecodable keeps offsets within 32 bits; no setting comes near it.
const maxDecodable = 1 << 30

// Decoder decodes and validates events. The zero Decoder is ready. It is for one goroutine at a time; reused, it
// allocates nothing an event.
type Decoder struct {
	// MaxBytes is the largest event it takes, in bytes. 0: it does not care.
	MaxBytes int

	scan    strictjson.Scanner
	refused *Error // the first field that is not as it should be

	older olderNames

	project string // of the last record
}

// Decode reads one event, the whole of raw, into ev, which is overwritten, with raw aliased. It returns nil or an
// *Error; after an error nothing in ev is meant to be read.
//
// White space around the object is accepted. raw is read once, whatever is wrong with it, in time linear in its size.
func (d *Decoder) Decode(raw []byte, ev *Event) error {
	if e := d.decode(raw, ev); e != nil {
		return e
	}
	return nil
}

func (d *Decoder) decode(raw []byte, ev *Event) *Error {
	ev.reset()
	d.scan.Fields = eventFields
	if err := d.checkSize(len(raw)); err != nil {
		return err
	}
	d.scan.Reset(raw, ev.repairs)
	d.refused = nil
	switch d.scan.Peek() {
	case 0:
		if d.scan.Pos == len(raw) {
			return &Error{Code: CodeEmpty, Reason: "There is no event."}
		}
		d.scan.Fail(strictjson.FaultValue)
	case '{':
		d.event(ev)
	default:
		d.scan.Value()
		d.refuse("", "An event must be a JSON object.")
	}
	d.scan.End()
	return d.finish(ev)
}

// decodePrefix reads the event that data, which is longer than it perhaps, begins with. It returns the event's size in bytes
// and whether there is one that Decode would accept.
func (d *Decoder) decodePrefix(data []byte, ev *Event) (size int, good bool) {
	ev.reset()
	d.scan.Fields = eventFields
	d.scan.Reset(data, ev.repairs)
	d.refused = nil
	d.event(ev)
	size = d.scan.Pos
	return size, d.finish(ev) == nil && d.checkSize(size) == nil
}

// finish gives the verdict and lets go of what is the caller's.
func (d *Decoder) finish(ev *Event) *Error {
	ev.repairs = d.scan.Repairs
	err := d.verdict(ev)
	d.scan.Data, d.scan.Repairs = nil, nil
	if d.older.given {
		d.older = olderNames{}
	}
	return err
}

func (d *Decoder) checkSize(size int) *Error {
	most := d.MaxBytes
	if most <= 0 {
		most = maxDecodable
	}
	if size > most {
		return tooLarge(LimitEventBytes, "bytes", most)
	}
	return nil
}

func (d *Decoder) verdict(ev *Event) *Error {
	err := d.refused
	if d.scan.Fault != "" {
		err = malformed(d.scan.Fault, d.scan.FaultAt)
	}
	if err != nil {
		err.EventID = ev.ID
		return err
	}
	d.older.fillGaps(ev)
	if ev.Level == 0 {
		ev.Level = LevelError
	}
	if ev.Message.IsBlank() && ev.Exception.Type.IsBlank() && ev.Exception.Value.IsBlank() {
		return &Error{
			Code: CodeInvalidEvent, Field: "message", EventID: ev.ID,
			Reason: "An event needs a message that is not blank, or an exception with a type or a value.",
		}
	}
	return nil
}
