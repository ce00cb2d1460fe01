package format

import (
	"slices"

	"sluice/internal/event"
	"sluice/internal/strictjson"
)

// otlpText reads the values of OTLP. A list becomes plain JSON: {"values":[{"stringValue":"a"},{"intValue":"1"}]} is
// ["a",1], and a list of key-value pairs is an object.
type otlpText struct {
	json []byte // of the list that is being read
}

// otlpKeptJSON is the most memory, in bytes, that is kept from one item to the next.
const otlpKeptJSON = 64 << 10

func (v *otlpText) reset() {
	if cap(v.json) > otlpKeptJSON {
		v.json = nil
	}
}

// attributes reads an array of key-value pairs and gives each to each.
func (v *otlpText) attributes(s *strictjson.Scanner, ev *event.Event, each func(key, value strictjson.Text)) {
	if s.Peek() != '[' {
		s.Value()
		return
	}
	for a := s.Array(); s.Item(&a); {
		if s.Peek() != '{' {
			s.Value()
			continue
		}
		var key, value strictjson.Text
		for o := s.Object(otlpPair); s.Member(&o); {
			switch o.Field {
			case otlpKey:
				key = s.Scalar()
			case otlpValue:
				value = v.text(s, ev)
			default:
				s.Value()
			}
		}
		each(key, value)
	}
}

// text reads an AnyValue: the content of a string, the text of another scalar, the JSON of a list. A value without any
// is absent.
func (v *otlpText) text(s *strictjson.Scanner, ev *event.Event) (text strictjson.Text) {
	if s.Peek() != '{' {
		s.Value()
		return text
	}
	for o := s.Object(otlpAny); s.Member(&o); {
		switch o.Field {
		case otlpString, otlpScalar, otlpInt:
			text = s.Scalar()
		case otlpArray, otlpKVList:
			v.json = v.json[:0]
			v.list(s, o.Field)
			text = ev.Compose("", strictjson.Verbatim(v.json))
		default:
			s.Value()
		}
	}
	return text
}

// any appends the JSON of an AnyValue, null if it has none.
func (v *otlpText) any(s *strictjson.Scanner) {
	start := len(v.json)
	if s.Peek() != '{' {
		s.Value()
		v.json = append(v.json, "null"...)
		return
	}
	for o := s.Object(otlpAny); s.Member(&o); {
		switch o.Field {
		case otlpString, otlpScalar:
			v.json = otlpRaw(v.json[:start], s)
		case otlpInt:
			v.json = otlpRaw(v.json[:start], s)
			v.json = append(v.json[:start], otlpNumber(v.json[start:])...)
		case otlpArray, otlpKVList:
			v.json = v.json[:start]
			v.list(s, o.Field)
		default:
			s.Value()
		}
	}
	if len(v.json) == start {
		v.json = append(v.json, "null"...)
	}
}

// list appends the JSON of an ArrayValue or a KeyValueList.
func (v *otlpText) list(s *strictjson.Scanner, as strictjson.Field) {
	brackets, each := "[]", v.any
	if as == otlpKVList {
		brackets, each = "{}", v.pair
	}
	v.json = append(v.json, brackets[0])
	start := len(v.json)
	if s.Peek() != '{' {
		s.Value()
	} else {
		for o := s.Object(otlpList); s.Member(&o); {
			if o.Field != otlpValues || s.Peek() != '[' {
				s.Value()
				continue
			}
			for a := s.Array(); s.Item(&a); {
				if len(v.json) > start {
					v.json = append(v.json, ',')
				}
				each(s)
			}
		}
	}
	v.json = append(v.json, brackets[1])
}

// pair appends a member of an object: a key and its value.
func (v *otlpText) pair(s *strictjson.Scanner) {
	start := len(v.json)
	if s.Peek() != '{' {
		s.Value()
		v.json = append(v.json, `"":null`...)
		return
	}
	end := start // of the key
	for o := s.Object(otlpPair); s.Member(&o); {
		switch {
		case o.Field == otlpKey && s.Peek() == '"':
			value := len(v.json)
			v.json = append(otlpRaw(v.json, s), ':')
			if end = start + len(v.json) - value; value > start { // the value came first
				key := slices.Clone(v.json[value:])
				v.json = slices.Insert(v.json[:value], start, key...)
			}
		case o.Field == otlpValue:
			v.any(s)
		default:
			s.Value()
		}
	}
	if end == start {
		v.json = slices.Insert(v.json, start, []byte(`"":`)...)
		end += len(`"":`)
	}
	if len(v.json) == end {
		v.json = append(v.json, "null"...)
	}
}

// otlpRaw appends the JSON of a value, with lone surrogates repaired.
func otlpRaw(dst []byte, s *strictjson.Scanner) []byte {
	before := len(s.Repairs)
	raw := s.Raw()
	if len(s.Repairs) > before {
		return strictjson.Unrepaired(raw).AppendTo(dst)
	}
	return append(dst, raw...)
}

// otlpNumber returns the number that a string is, or raw if it is none. 64-bit integers are strings in OTLP.
func otlpNumber(raw []byte) []byte {
	if len(raw) < 3 || raw[0] != '"' {
		return raw
	}
	digits := raw[1 : len(raw)-1]
	first := 0
	if digits[0] == '-' {
		first = 1
	}
	if first == len(digits) || digits[first] == '0' && len(digits) > first+1 {
		return raw
	}
	for _, c := range digits[first:] {
		if c < '0' || c > '9' {
			return raw
		}
	}
	return digits
}
