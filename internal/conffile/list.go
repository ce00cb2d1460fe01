package conffile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	// chunkBytes of items are read together: enough to make up for starting the YAML library, which takes some half a millisecond
	// for them, and little enough to stand in nobody's way.
	chunkBytes = 8 << 10
	// MaxItemBytes is the largest item of a list.
	MaxItemBytes = 1 << 20
)

// Sink takes what a large file holds, in the order of the file. The nodes belong to the reader and are used again.
type Sink interface {
	// Item takes an item of the list. False ends the reading.
	Item(n *Node) bool
	// Fault takes what is wrong. False ends the reading.
	Fault(f *Fault) bool
}

// errEnough ends the reading when the sink wants no more.
var errEnough = errors.New("enough")

// ReadList reads a YAML file that is a mapping with a list under one name, item by item. The list may be in either of YAML's
// styles: a line with a dash for each item, or within brackets. What is wrong with one item is said, and the next one is read.
// It returns errors of r only.
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

// lister splits a list into its items. Splitting only finds where items begin: the YAML library then reads them, and must find
// the same items at the same lines.
type lister struct {
	lines *lines
	name  string
	sink  Sink

	chunk  []byte
	above  int // lines before the chunk
	starts []start
	flow   bool
}

// start is where an item of the chunk begins, and where it ends if that is not where the next one begins.
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
	below := isBlank(rest) // the list is below its name, not on the same line
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

// skipBlank goes to the next line that holds something; the current one counts.
func (l *lister) skipBlank() error {
	for isBlank(l.lines.text) {
		if err := l.lines.next(); err != nil {
			return err
		}
	}
	return nil
}

// field reads "name:" and returns what follows on its line.
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

// unknown is the fault of another field than the list, or of no field at all.
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

// tail reports what comes after the list: nothing may.
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

var errTab = errors.New("a tab in the indentation; YAML takes spaces")

// readDashes reads the items of a list in block style, whose dashes are so far from the margin.
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

// begin notes that an item begins at the end of the chunk.
func (l *lister) begin() {
	if len(l.starts) == 0 {
		l.chunk, l.above = l.chunk[:0], l.lines.n-1
	}
	l.starts = append(l.starts, start{at: len(l.chunk), line: l.lines.n})
}

func (l *lister) tooLarge() *Fault {
	if n := len(l.starts); n > 0 && len(l.chunk)-l.starts[n-1].at > MaxItemBytes {
		return faultAt(l.starts[n-1].line, fmt.Sprintf("the item that begins here is larger than %d bytes", MaxItemBytes))
	}
	return nil
}
