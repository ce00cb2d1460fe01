package otlp

import "errors"

// ErrMalformed says that a request is not an ExportLogsServiceRequest in protobuf.
var ErrMalformed = errors.New("malformed protobuf")

// Fault is why no item can be made of a log record. 0 is none.
type Fault uint8

const (
	// TooLarge: the JSON of the record, its resource or its scope alone is larger than Decoder.MostBytes.
	TooLarge Fault = 1 + iota
	// TooDeep: the item would nest deeper than strictjson.MaxDepth.
	TooDeep
)

// Output takes the JSON. *bytes.Buffer is one.
type Output interface {
	// AvailableBuffer returns the memory behind what was written, as an empty slice.
	AvailableBuffer() []byte
	// Write appends to what was written. Its error ends the decoding.
	Write(b []byte) (int, error)
	Len() int
}

// Span is a piece of what was written to an Output.
type Span struct{ Start, End int }

// Of returns the piece. written is all that was written to the Output.
func (s Span) Of(written []byte) []byte { return written[s.Start:s.End:s.End] }

// Record is one log record. Its item is Resource, Scope, Log and After, one behind the other: an object with the
// members resource, resourceSchemaUrl, scope, scopeSchemaUrl and logRecord, all but the last only if they are given.
// Several records share a resource and a scope.
type Record struct {
	Resource Span // from the opening brace
	Scope    Span // up to the colon behind logRecord
	Log      Span
	// Fault is why there is no item. The spans are not set then.
	Fault Fault
}

// After stands behind the log record in an item.
const After = "}"

// Decoder reads export requests. It is reused; it is not safe for concurrent use.
type Decoder struct {
	// MostBytes bounds the JSON of a record, a resource and a scope, in bytes. The whole item may be larger.
	MostBytes int
	// MostRecords is how many records are read.
	MostRecords int
	// Records are the records of the last request, in order.
	Records []Record
	// Rest is how many more there were.
	Rest int

	out      Output
	err      error
	resource piece
	scope    piece
}

// piece is what several records share.
type piece struct {
	span  Span
	fault Fault
}

// Decode reads a request. It returns ErrMalformed or an error of the Output; nothing of the request counts then.
func (d *Decoder) Decode(request []byte, out Output) error {
	d.Records, d.Rest, d.err, d.out = d.Records[:0], 0, nil, out
	for f := (field{}); d.next(&request, &f); {
		if f.tag == requestResourceLogs {
			d.resourceLogs(f.bytes)
		}
	}
	d.out = nil
	return d.err
}

// Release drops what belongs to the request.
func (d *Decoder) Release() {
	clear(d.Records)
	d.Records = d.Records[:0]
}

// next reads the next field of a message. An error ends every message.
func (d *Decoder) next(b *[]byte, f *field) bool {
	if len(*b) == 0 || d.err != nil {
		return false
	}
	n := f.read(*b)
	if n < 0 {
		d.err = ErrMalformed
		return false
	}
	*b = (*b)[n:]
	return true
}

func (d *Decoder) resourceLogs(b []byte) {
	var resource message
	var schemaURL []byte
	all := b
	for f := (field{}); d.next(&b, &f); {
		switch f.tag {
		case resourceLogsResource:
			resource.add(f.bytes)
		case resourceLogsSchemaURL:
			schemaURL = f.bytes
		}
	}
	p := d.begin()
	p.json = append(p.json, '{')
	if resource.given {
		p.name(`"resource":`)
		p.resource(&resource)
	}
	p.text(`"resourceSchemaUrl":`, schemaURL)
	if len(p.json) > 1 {
		p.json = append(p.json, ',')
	}
	d.resource = d.end(&p)
	for f := (field{}); d.next(&all, &f); {
		if f.tag == resourceLogsScopeLogs {
			d.scopeLogs(f.bytes)
		}
	}
}

func (d *Decoder) scopeLogs(b []byte) {
	var scope message
	var schemaURL []byte
	all := b
	for f := (field{}); d.next(&b, &f); {
		switch f.tag {
		case scopeLogsScope:
			scope.add(f.bytes)
		case scopeLogsSchemaURL:
			schemaURL = f.bytes
		}
	}
	p := d.begin()
	if scope.given {
		p.json = append(p.json, `"scope":`...)
		p.scope(&scope)
		p.json = append(p.json, ',')
	}
	if len(schemaURL) > 0 {
		p.json = append(p.json, `"scopeSchemaUrl":`...)
		p.string(schemaURL)
		p.json = append(p.json, ',')
	}
	p.json = append(p.json, `"logRecord":`...)
	d.scope = d.end(&p)
	for f := (field{}); d.next(&all, &f); {
		if f.tag == scopeLogsLogRecords {
			d.logRecord(f.bytes)
		}
	}
}

func (d *Decoder) logRecord(b []byte) {
	if len(d.Records) == d.MostRecords {
		d.Rest++
		return
	}
	p := d.begin()
	p.record(b)
	log := d.end(&p)
	r := Record{Resource: d.resource.span, Scope: d.scope.span, Log: log.span}
	for _, of := range []piece{d.resource, d.scope, log} {
		if of.fault != 0 {
			r = Record{Fault: of.fault}
			break
		}
	}
	d.Records = append(d.Records, r)
}

// begin begins a piece of JSON behind the last. The part belongs on the caller's stack, where writing its slice costs
// no write barrier.
func (d *Decoder) begin() part { return part{json: d.out.AvailableBuffer(), most: d.MostBytes} }

// end writes the piece, unless it has a fault.
func (d *Decoder) end(p *part) piece {
	if len(p.json) > p.most && p.fault == 0 {
		p.fault = TooLarge
	}
	if p.malformed {
		d.err = ErrMalformed
	}
	if p.fault != 0 || d.err != nil {
		return piece{fault: p.fault}
	}
	start := d.out.Len()
	if _, err := d.out.Write(p.json); err != nil {
		d.err = err
	}
	return piece{span: Span{start, d.out.Len()}}
}
