package event

import "sluice/internal/strictjson"

// maxDecodable bounds events, in bytes, so that offsets fit into 32 bits. No setting comes near it.
const maxDecodable = 1 << 30

// Decoder decodes and validates events. The zero Decoder is ready. A reused Decoder does not allocate. It is not safe
// for concurrent use.
type Decoder struct {
	// MaxBytes is the size of the largest event that Decode accepts, in bytes. 0 means 1 GiB.
	MaxBytes int
	// Formats are the formats that DecodeAs and DecodeRecord know beside our own. They must not change.
	Formats Formats

	others map[string]*other // by format, made when the first event of the format comes

	scan    strictjson.Scanner
	refused *Error // the first field that is not as it should be

	older olderNames

	project string // project of the last record, see parseHeaders
}

// Decode decodes one event, which is the whole of raw, and overwrites ev with it. ev aliases raw. Decode returns nil
// or an *Error; after an error the content of ev has no meaning.
//
// White space around the object is accepted. Decode reads raw once, in time linear in its size, valid or not.
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

// decodePrefix decodes the event with which data begins. It returns the size of the event in bytes, and whether Decode
// would accept it.
func (d *Decoder) decodePrefix(data []byte, ev *Event) (size int, good bool) {
	ev.reset()
	d.scan.Fields = eventFields
	d.scan.Reset(data, ev.repairs)
	d.refused = nil
	d.event(ev)
	size = d.scan.Pos
	return size, d.finish(ev) == nil && d.checkSize(size) == nil
}

// finish returns the verdict and drops what belongs to the caller.
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
