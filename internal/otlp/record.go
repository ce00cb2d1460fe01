package otlp

import "strconv"

// logRecord holds the fields of a LogRecord that are not lists.
type logRecord struct {
	time, observed uint64
	severity       int32
	dropped, flags uint32
	severityText   []byte
	body           message
	traceID        []byte
	spanID         []byte
	eventName      []byte
}

func (r *logRecord) read(p *part, b []byte) {
	for f := (field{}); p.next(&b, &f); {
		switch f.tag {
		case recordTime:
			r.time = f.scalar
		case recordObservedTime:
			r.observed = f.scalar
		case recordSeverityNumber:
			r.severity = int32(f.scalar) // cut, as protobuf does
		case recordSeverityText:
			r.severityText = f.bytes
		case recordBody:
			r.body.add(f.bytes)
		case recordDropped:
			r.dropped = uint32(f.scalar)
		case recordFlags:
			r.flags = uint32(f.scalar)
		case recordTraceID:
			r.traceID = f.bytes
		case recordSpanID:
			r.spanID = f.bytes
		case recordEventName:
			r.eventName = f.bytes
		}
	}
}

// levelOfPart is the level of nesting of a resource, a scope and a log record in an item.
const levelOfPart = 2

// record appends a LogRecord.
func (p *part) record(b []byte) {
	var r logRecord
	r.read(p, b)
	p.open(levelOfPart)
	p.long("timeUnixNano", r.time)
	p.long("observedTimeUnixNano", r.observed)
	if r.severity != 0 {
		p.name("severityNumber")
		p.json = strconv.AppendInt(p.json, int64(r.severity), 10)
	}
	p.text("severityText", r.severityText)
	if r.body.given {
		p.name("body")
		p.any(&r.body, levelOfPart+1)
	}
	p.keyValues(&message{given: true, first: b}, recordAttributes, "attributes", levelOfPart+1)
	p.number("droppedAttributesCount", r.dropped)
	p.number("flags", r.flags)
	p.id("traceId", r.traceID)
	p.id("spanId", r.spanID)
	p.text("eventName", r.eventName)
	p.close()
}

// number appends a member that is a 32-bit number, unless it is zero.
func (p *part) number(name string, n uint32) {
	if n != 0 {
		p.name(name)
		p.json = strconv.AppendUint(p.json, uint64(n), 10)
	}
}

// resource appends a Resource.
func (p *part) resource(m *message) {
	dropped := uint32(0)
	var f field
	for i := range m.parts() {
		for b := m.part(i); p.next(&b, &f); {
			if f.tag == resourceDropped {
				dropped = uint32(f.scalar)
			}
		}
	}
	p.open(levelOfPart)
	p.keyValues(m, resourceAttributes, "attributes", levelOfPart+1)
	p.number("droppedAttributesCount", dropped)
	p.list(m, resourceEntityRefs, "entityRefs", levelOfPart+1, p.entityRef)
	p.close()
}

func (p *part) entityRef(b []byte) {
	var schemaURL, kind []byte
	all := message{given: true, first: b}
	for f := (field{}); p.next(&b, &f); {
		switch f.tag {
		case entitySchemaURL:
			schemaURL = f.bytes
		case entityType:
			kind = f.bytes
		}
	}
	p.open(levelOfPart + 2)
	p.text("schemaUrl", schemaURL)
	p.text("type", kind)
	p.list(&all, entityIDKeys, "idKeys", levelOfPart+3, p.string)
	p.list(&all, entityDescriptionKeys, "descriptionKeys", levelOfPart+3, p.string)
	p.close()
}

// scope appends an InstrumentationScope.
func (p *part) scope(m *message) {
	var name, version []byte
	dropped := uint32(0)
	var f field
	for i := range m.parts() {
		for b := m.part(i); p.next(&b, &f); {
			switch f.tag {
			case scopeName:
				name = f.bytes
			case scopeVersion:
				version = f.bytes
			case scopeDropped:
				dropped = uint32(f.scalar)
			}
		}
	}
	p.open(levelOfPart)
	p.text("name", name)
	p.text("version", version)
	p.keyValues(m, scopeAttributes, "attributes", levelOfPart+1)
	p.number("droppedAttributesCount", dropped)
	p.close()
}
