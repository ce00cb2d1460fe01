package conffile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	// chunkBytes is how many bytes of items are parsed together. Starting the YAML library costs as much time for a few
	// bytes as for a chunk of this size. One chunk takes about half a millisecond.
	chunkBytes = 8 << 10
	// MaxItemBytes is the size of the largest item of a list, in bytes.
	MaxItemBytes = 1 << 20
)

// Sink receives the content of a large file in order. The reader owns the nodes and reuses them after the call.
type Sink interface {
	// Item receives an item of the list. If it returns false, reading ends.
	Item(n *Node) bool
	// Fault receives a fault. If it returns false, reading ends.
	Fault(f *Fault) bool
}

// errEnough ends the reading after the sink returned false.
var errEnough = errors.New("enough")

// ReadList reads a YAML file, a mapping with one list called name, item by item. The list may have either YAML style: a
// dash line per item, or brackets. ReadList hands a faulty item to sink.Fault and continues with the next item. It
// returns only errors of r.
func ReadList(r io.Reader, name string, sink Sink) error {
	l := &lister{lines: newLines(r), name: name, sink: sink}
	err := l.read()
	var f *Fault
	switch {
	case errors.As(err, &f):
		sink.Fault(f)
		return nil
	case err == nil, errors.Is(err, errEnough), errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

// lister splits a list into its items. It only finds where items begin. The YAML library then parses them, and must
// find the same items at the same lines.
type lister struct {
	lines *lines
	name  string
	sink  Sink

	chunk  []byte
	above  int // lines of the file before the chunk
	starts []start
	flow   bool
}

// start is the place of an item in the chunk: where it begins, and where it ends if not at the next item.
type start struct{ at, end, line int }

func (l *lister) read() error {
	if err := l.lines.next(); err != nil {
		return err
	}
	if err := l.skipBlank(); err != nil {
		return err
	}
	if rest, ok := marker(l.lines.text, "---"); ok {
		l.lines.text = rest
		if err := l.skipBlank(); err != nil {
			return err
		}
	}
	if l.lines.text[0] == '%' {
		return &Fault{l.lines.n, errDirective}
	}
	indent, first := l.lines.indent()
	if first == '{' {
		return l.readBraces(indent)
	}
	rest, f := l.field(l.lines.text[indent:])
	if f != nil {
		return f
	}
	l.lines.text = rest
	below := isBlank(rest) // the list starts below its name
	if err := l.skipBlank(); err != nil {
		return err // an empty list
	}
	at, first := l.lines.indent()
	switch {
	case first == '[' && (!below || at > indent):
		if err := l.readBrackets(at); err != nil {
			return err
		}
		return l.tail()
	case first == '-' && below && at >= indent && isDash(l.lines.text[at:]):
		return l.readDashes(at)
	case !below && isNull(string(bytes.TrimSpace(withoutComment(l.lines.text)))):
		if err := l.lines.next(); err != nil {
			return err
		}
		return l.tail()
	case below && at <= indent:
		return l.tail()
	default:
		return faultAt(l.lines.n, l.name+" must be a list")
	}
}

// skipBlank moves to the next line with content; it stays if the current line has content.
func (l *lister) skipBlank() error {
	for isBlank(l.lines.text) {
		if err := l.lines.next(); err != nil {
			return err
		}
	}
	return nil
}

// field reads "name:" and returns the rest of its line.
func (l *lister) field(text []byte) (rest []byte, f *Fault) {
	for _, quote := range []string{"", `"`, `'`} {
		after, ok := bytes.CutPrefix(text, []byte(quote+l.name+quote))
		if !ok {
			continue
		}
		after, ok = bytes.CutPrefix(bytes.TrimLeft(after, " \t"), []byte(":"))
		if ok && (len(after) == 0 || quote != "" || bytes.IndexByte([]byte(" \t\r\n"), after[0]) >= 0) {
			return after, nil
		}
	}
	return nil, l.unknown(text)
}

// unknown returns the fault of a line that is not the list's field: another field, or none.
func (l *lister) unknown(text []byte) *Fault {
	key, _, ok := bytes.Cut(text, []byte(":"))
	if !ok || text[0] == '-' {
		return faultAt(l.lines.n, fmt.Sprintf("the file must be a mapping with the list %q", l.name))
	}
	name := string(bytes.Trim(key, " \t\"'"))
	if name == l.name {
		return &Fault{l.lines.n, fmt.Errorf("%s is given twice", Name(name))}
	}
	return &Fault{l.lines.n, fmt.Errorf("unknown field %s; the file has one field, %q", Name(name), l.name)}
}

// tail reports anything after the list.
func (l *lister) tail() error {
	ended := false
	for {
		if err := l.skipBlank(); err != nil {
			return err
		}
		text := l.lines.text
		if rest, ok := marker(text, "..."); ok && isBlank(rest) {
			ended = true
			if err := l.lines.next(); err != nil {
				return err
			}
			continue
		}
		if _, ok := marker(text, "---"); ok || ended {
			return &Fault{l.lines.n, errDocuments}
		}
		indent, first := l.lines.indent()
		if first == '\t' {
			return &Fault{l.lines.n, errTab}
		}
		return l.unknown(text[indent:])
	}
}

var errTab = errors.New("a tab in the indentation; YAML requires spaces")

// readDashes reads the items of a list in block style. indent is the column of the dashes.
func (l *lister) readDashes(indent int) error {
	for {
		text := l.lines.text
		at, first := l.lines.indent()
		_, begins := marker(text, "---")
		_, ends := marker(text, "...")
		switch {
		case isBlank(text), at > indent && first != '\t':
		case begins, ends, at < indent, at == indent && !isDash(text[at:]):
			if err := l.emit(); err != nil {
				return err
			}
			if first == '\t' {
				return &Fault{l.lines.n, errTab}
			}
			return l.tail()
		case at == indent:
			if len(l.chunk) >= chunkBytes {
				if err := l.emit(); err != nil {
					return err
				}
			}
			l.begin()
		}
		l.chunk = append(l.chunk, text...)
		if f := l.tooLarge(); f != nil {
			return f
		}
		if err := l.lines.next(); err != nil {
			return errors.Join(l.emit(), err)
		}
	}
}

// begin records the start of an item at the end of the chunk.
func (l *lister) begin() {
	if len(l.starts) == 0 {
		l.chunk, l.above = l.chunk[:0], l.lines.n-1
	}
	l.starts = append(l.starts, start{at: len(l.chunk), line: l.lines.n})
}

func (l *lister) tooLarge() *Fault {
	if n := len(l.starts); n > 0 && len(l.chunk)-l.starts[n-1].at > MaxItemBytes {
		return faultAt(l.starts[n-1].line,
			fmt.Sprintf("the item that begins here is larger than %d bytes", MaxItemBytes))
	}
	return nil
}
