package conffile

import (
	"errors"
	"fmt"
)

// emit parses the items of the chunk and hands them to the sink. If the chunk as a whole fails, emit parses each item
// alone, so that a fault concerns one item only.
func (l *lister) emit() error {
	defer func() { l.chunk, l.starts = l.chunk[:0], l.starts[:0] }()
	if len(l.starts) == 0 {
		return nil
	}
	if list, err := l.parse(l.chunk, l.above, l.starts); err == nil {
		for i := range list.Items {
			if !l.sink.Item(&list.Items[i]) {
				return errEnough
			}
		}
		return nil
	}
	for i, s := range l.starts {
		end := len(l.chunk)
		if s.end > 0 {
			end = s.end
		} else if i+1 < len(l.starts) {
			end = l.starts[i+1].at
		}
		more := false
		list, err := l.parse(l.chunk[s.at:end], s.line-1, l.starts[i:i+1])
		var f *Fault
		switch {
		case errors.As(err, &f):
			more = l.sink.Fault(&Fault{f.Line, fmt.Errorf("%w (in the item that begins at line %d)", f.Err, s.line)})
		case err != nil:
			more = l.sink.Fault(&Fault{s.line, err})
		default:
			more = l.sink.Item(&list.Items[0])
		}
		if !more {
			return errEnough
		}
	}
	return nil
}

var errSplit = errors.New("the end of this item is unclear; begin each item on a line of its own")

// parse parses items with the YAML library. The library must find each item where the lister found it.
func (l *lister) parse(text []byte, above int, items []start) (*Node, error) {
	if l.flow {
		text = append(append([]byte{'['}, text...), '\n', ']')
	}
	list, err := document(text, above)
	if err != nil {
		return nil, err
	}
	if list.Kind != List || len(list.Items) != len(items) {
		return nil, errSplit
	}
	for i := range items {
		if list.Items[i].Line < items[i].line || i+1 < len(items) && list.Items[i].Line > items[i+1].line {
			return nil, errSplit
		}
	}
	return list, nil
}
