package event

import "bytes"

// sequence reads objects one after the other: a line each, several on a line, or each over several lines. A line that is
// none of these is one bad item.
func (b *Bulk) sequence(body []byte) *Error {
	overLines := true // until an object breaks off: looking for its end again and again would not be linear
	for len(body) > 0 {
		line, rest, _ := bytes.Cut(body, []byte("\n"))
		line = trimSpace(line)
		var err *Error
		switch n := b.objectsIn(line); {
		case len(line) == 0:
		case n == 1:
			err = b.add(line)
		case n > 1:
			err = b.addObjects(line)
		case overLines && line[0] == '{':
			body = trimSpace(body)
			size := b.strictObject(body)
			if overLines = size > 0; overLines {
				line, rest = body[:size:size], body[size:]
			}
			err = b.add(line)
		default:
			err = b.add(line)
		}
		if err != nil {
			return err
		}
		body = rest
	}
	return nil
}

// objectsIn returns how many objects a line consists of by its brackets and quotes, or 0 if of anything else.
func (b *Bulk) objectsIn(line []byte) (n int) {
	s := &b.scanner
	for s.restart(line); s.peek() == '{'; n++ {
		b.skipBrackets()
	}
	if s.fault != "" || s.pos < len(line) {
		return 0
	}
	return n
}

// addObjects adds the objects that a line consists of.
func (b *Bulk) addObjects(line []byte) *Error {
	for len(line) > 0 {
		b.scanner.restart(line)
		b.skipBrackets()
		end := b.scanner.pos
		if err := b.add(line[:end:end]); err != nil {
			return err
		}
		line = trimSpace(line[end:])
	}
	return nil
}

// strictObject returns the size of the valid object that data begins with, or 0 if there is none.
func (b *Bulk) strictObject(data []byte) int {
	s := &b.scanner
	s.reset(data, emptied(s.repairs))
	s.value()
	if s.fault != "" {
		return 0
	}
	return s.pos
}

// restart begins to read data by its brackets and quotes.
func (s *scanner) restart(data []byte) { s.data, s.pos, s.fault = data, 0, "" }
