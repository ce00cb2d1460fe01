package otlp

import (
	"math"
	"strconv"
)

// any appends an AnyValue whose object is at a level of nesting.
func (p *part) any(m *message, level int) {
	last, list := p.lastCase(m, level)
	p.open(level)
	switch last.tag {
	case anyString:
		p.name("stringValue")
		p.string(last.bytes)
	case anyBool:
		p.name("boolValue")
		p.json = strconv.AppendBool(p.json, last.scalar != 0)
	case anyInt:
		p.name("intValue")
		p.json = append(p.json, '"')
		p.json = append(strconv.AppendInt(p.json, int64(last.scalar), 10), '"')
	case anyDouble:
		p.name("doubleValue")
		p.json = appendDouble(p.json, math.Float64frombits(last.scalar))
	case anyArray:
		p.name("arrayValue")
		p.array(&list, level+1)
	case anyKVList:
		p.name("kvlistValue")
		p.kvlist(&list, level+1)
	case anyBytes:
		p.name("bytesValue")
		if p.fits(last.bytes) {
			p.json = appendBase64(p.json, last.bytes)
		}
	}
	p.close()
}

// lastCase returns the case of an AnyValue that counts, which is the last, or the zero field if there is none. list is
// the content of an array or list.
func (p *part) lastCase(m *message, level int) (last field, list message) {
	var f field
	for i := range m.parts() {
		for b := m.part(i); p.next(&b, &f); {
			switch f.tag {
			case anyArray, anyKVList:
				if f.tag != last.tag {
					p.drop(last.tag, &list, level)
					list = message{}
				}
				list.add(f.bytes)
				last = f
			case anyString, anyBool, anyInt, anyDouble, anyBytes, anyStrindex:
				p.drop(last.tag, &list, level)
				list, last = message{}, f
			}
		}
	}
	return last, list
}

// drop checks a case that a later one replaces: a malformed request is refused, whatever its order.
func (p *part) drop(tag uint64, list *message, level int) {
	start := len(p.json)
	switch tag {
	case anyArray:
		p.array(list, level+1)
	case anyKVList:
		p.kvlist(list, level+1)
	}
	p.json = p.json[:start]
}

// array appends an ArrayValue.
func (p *part) array(m *message, level int) {
	p.open(level)
	p.list(m, listValues, "values", level+1, func(value []byte) {
		p.any(&message{given: true, first: value}, level+2)
	})
	p.close()
}

// kvlist appends a KeyValueList.
func (p *part) kvlist(m *message, level int) {
	p.open(level)
	p.keyValues(m, listValues, "values", level+1)
	p.close()
}

// keyValues appends a list of attributes, unless it is empty. tag is the field in which they are.
func (p *part) keyValues(m *message, tag uint64, name string, level int) {
	p.list(m, tag, name, level, func(pair []byte) { p.keyValue(pair, level+1) })
}

func (p *part) keyValue(b []byte, level int) {
	var key []byte
	var value message
	for f := (field{}); p.next(&b, &f); {
		switch f.tag {
		case keyValueKey:
			key = f.bytes
		case keyValueValue:
			value.add(f.bytes)
		}
	}
	p.open(level)
	p.text("key", key)
	if value.given {
		p.name("value")
		p.any(&value, level+1)
	}
	p.close()
}

// list appends a member that is an array, unless it is empty: what each appends for every field with a tag.
func (p *part) list(m *message, tag uint64, name string, level int, each func(b []byte)) {
	begun := false
	var f field
	for i := range m.parts() {
		for b := m.part(i); p.next(&b, &f); {
			if f.tag != tag {
				continue
			}
			if begun {
				p.json = append(p.json, ',')
			} else {
				p.name(name)
				p.openArray(level)
				begun = true
			}
			each(f.bytes)
		}
	}
	if begun {
		p.json = append(p.json, ']')
	}
}
