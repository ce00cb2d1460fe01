package event

import "bytes"

// sequence reads objects one after the other: one on a line, several on a line, or one over several lines. Any other
// line is one bad item.
func (b *Bulk) sequence(body []byte) *Error {
	// overLines is false once an object broke off: searching for its end from each line on would take quadratic time.
	overLines := true
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

// objectsIn returns the number of objects that make up a line, judged by brackets and quotes alone, or 0 if the line
// has anything else in it.
func (b *Bulk) objectsIn(line []byte) (n int) {
	s := &b.scan
	for s.Restart(line); s.Peek() == '{'; n++ {
		b.scan.SkipBrackets()
	}
	if s.Fault != "" || s.Pos < len(line) {
		return 0
	}
	return n
}

// addObjects adds the objects that make up a line.
func (b *Bulk) addObjects(line []byte) *Error {
	for len(line) > 0 {
		b.scan.Restart(line)
		b.scan.SkipBrackets()
		end := b.scan.Pos
		if err := b.add(line[:end:end]); err != nil {
			return err
		}
		line = trimSpace(line[end:])
	}
	return nil
}

// strictObject returns the size of the valid object with which data begins, or 0 if it does not begin with one.
func (b *Bulk) strictObject(data []byte) int {
	s := &b.scan
	s.Reset(data, emptied(s.Repairs))
	s.Value()
	if s.Fault != "" {
		return 0
	}
	return s.Pos
}

// isFirstLine reports whether data[start:end] is a line of its own with more lines after it.
func isFirstLine(data []byte, start, end int) bool {
	if bytes.IndexByte(data[start:end], '\n') >= 0 {
		return false
	}
	newline := bytes.IndexByte(data[end:], '\n')
	return newline >= 0 && isSpace(data[end:end+newline]) && !isSpace(data[end+newline:])
}

// isSpace reports whether b consists of JSON's white space.
func isSpace(b []byte) bool { return len(trimSpace(b)) == 0 }

// trimSpace returns b without JSON's white space at both ends.
func trimSpace(b []byte) []byte {
	start, end := 0, len(b)
	for start < end && isSpaceByte(b[start]) {
		start++
	}
	for start < end && isSpaceByte(b[end-1]) {
		end--
	}
	return b[start:end:end]
}

func (b *Bulk) lines(body []byte) *Error {
	for len(body) > 0 {
		line := body
		if end := bytes.IndexByte(body, '\n'); end >= 0 {
			line, body = body[:end], body[end+1:]
		} else {
			body = nil
		}
		if line = trimSpace(line); len(line) == 0 {
			continue
		}
		if err := b.add(line); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bulk) add(item []byte) *Error {
	if max(len(b.Items), b.count) == MaxBulkEvents {
		return tooLarge(LimitBulkEvents, "events", MaxBulkEvents)
	}
	if b.each != nil {
		b.decode(item)
		return nil
	}
	b.Items = append(b.Items, item)
	return nil
}

func isSpaceByte(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }
