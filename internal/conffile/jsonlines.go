package conffile

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// ReadJSONLines reads a file with one JSON object per line and skips blank lines. It hands a faulty line to sink.Fault
// and continues with the next line. It returns only errors of r.
func ReadJSONLines(r io.Reader, sink Sink) error {
	j := jsonLines{lines: newLines(r)}
	for {
		err := j.lines.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var f *Fault
		if err != nil && !errors.As(err, &f) {
			return err
		}
		if f == nil {
			if len(bytes.TrimSpace(j.lines.text)) == 0 {
				continue
			}
			f = j.read()
		}
		if f != nil && !sink.Fault(f) || f == nil && !sink.Item(&j.node) {
			return nil
		}
	}
}

// jsonLines reads the object of a line. It reuses the memory of the nodes for the next line.
type jsonLines struct {
	lines *lines
	in    bytes.Reader
	dec   jsontext.Decoder
	node  Node
	stack []Node // values of unfinished lists and maps
	arena []Node // the items of lists and maps
	words words
}

// maxJSONDepth is the deepest nesting of lists and maps.
const maxJSONDepth = 16

func (j *jsonLines) read() *Fault {
	text := j.lines.text
	if len(text) > MaxItemBytes {
		return faultAt(j.lines.n, fmt.Sprintf("the line is larger than %d bytes", MaxItemBytes))
	}
	j.in.Reset(text)
	j.dec.Reset(&j.in)
	if j.dec.PeekKind() != '{' {
		return faultAt(j.lines.n, "the line must be one JSON object")
	}
	j.stack, j.arena = j.stack[:0], j.arena[:0]
	var err error
	if j.node, err = j.value(0); err != nil {
		return faultAt(j.lines.n, jsonFault(err))
	}
	if _, err := j.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return faultAt(j.lines.n, "the line must be one JSON object with nothing after it")
	}
	return nil
}

// value reads the next value.
func (j *jsonLines) value(depth int) (Node, error) {
	kind := j.dec.PeekKind()
	if kind != '{' && kind != '[' {
		return j.scalar()
	}
	if depth == maxJSONDepth {
		return Node{}, errDeep
	}
	if _, err := j.dec.ReadToken(); err != nil {
		return Node{}, err
	}
	base := len(j.stack)
	end := kind + 2 // each closing bracket is two characters after its opening one
	for j.dec.PeekKind() != end {
		item, err := j.value(depth + 1)
		if err != nil {
			return Node{}, err
		}
		j.stack = append(j.stack, item)
	}
	if _, err := j.dec.ReadToken(); err != nil {
		return Node{}, err
	}
	n := Node{Kind: List, Line: j.lines.n}
	if kind == '{' {
		n.Kind = Map
	}
	at := len(j.arena)
	j.arena = append(j.arena, j.stack[base:]...) // if append moves the arena, earlier nodes keep the old memory
	n.Items = j.arena[at:len(j.arena):len(j.arena)]
	j.stack = j.stack[:base]
	return n, nil
}

func (j *jsonLines) scalar() (Node, error) {
	raw, err := j.dec.ReadValue()
	if err != nil {
		return Node{}, err
	}
	n := Node{Line: j.lines.n}
	if raw[0] != '"' {
		n.Text = j.words.of(raw)
		return n, nil
	}
	n.Quoted = true
	if bytes.IndexByte(raw, '\\') < 0 {
		n.Text = j.words.of(raw[1 : len(raw)-1])
		return n, nil
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	n.Text = string(text)
	return n, err
}

var errDeep = errors.New("nested too deep")

// jsonFault returns the error text for a line, without any part of the line.
func jsonFault(err error) string {
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.Is(err, errDeep):
		return errDeep.Error()
	case errors.Is(err, jsontext.ErrDuplicateName):
		return "a name is given twice in one object"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "not one JSON object: the line ends too early"
	case errors.As(err, &syntactic):
		return fmt.Sprintf("not JSON, at byte %d of the line", syntactic.ByteOffset+1)
	default:
		return "not JSON"
	}
}

// words caches recent short texts: field names and common values repeat on each line.
type words [256]string

func (w *words) of(text []byte) string {
	if len(text) == 0 || len(text) > 16 {
		return string(text)
	}
	slot := &w[(int(text[0])*31+int(text[len(text)-1])*7+len(text))&0xff]
	if *slot != string(text) {
		*slot = string(text)
	}
	return *slot
}
