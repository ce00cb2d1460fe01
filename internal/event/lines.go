package event

import "bytes"

// isFirstLine reports whether data[start:end] is a line by itself with more lines to come.
func isFirstLine(data []byte, start, end int) bool {
	if bytes.IndexByte(data[start:end], '\n') >= 0 {
		return false
	}
	newline := bytes.IndexByte(data[end:], '\n')
	return newline >= 0 && isSpace(data[end:end+newline]) && !isSpace(data[end+newline:])
}

// isSpace reports whether there is nothing but JSON's white space.
func isSpace(b []byte) bool { return len(trimSpace(b)) == 0 }

// trimSpace cuts off JSON's white space on both sides.
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

func isSpaceByte(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

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
