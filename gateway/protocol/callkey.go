package protocol

import (
	"sync"

	"sluice/internal/strictjson"
)

// keyFinder finds the project key in the first bytes of a body. The names of its members are fields of its own.
type keyFinder struct {
	scan strictjson.Scanner
}

// The kinds of objects that may hold a key: the body or its first item, and the properties of an item.
const (
	keyBody       = strictjson.LearntKinds
	keyProperties = strictjson.LearntKinds + 1
)

// The members that hold a key, and the one whose members may.
const (
	keyHere   = 1 + strictjson.NoField
	keyWithin = keyHere + 1
)

// keyFinders returns a function that finds a key as ingest.Protocol's BodyKey does.
func keyFinders(fields func(kind strictjson.Kind, name []byte) strictjson.Field) func(prefix []byte) []byte {
	pool := &sync.Pool{New: func() any {
		f := &keyFinder{}
		f.scan.Fields = fields
		return f
	}}
	return func(prefix []byte) []byte {
		f := pool.Get().(*keyFinder)
		defer pool.Put(f)
		defer f.scan.Release()
		return f.find(prefix)
	}
}

// find returns the first key in a body that may be cut off. It moves over all else by brackets and quotes alone: what
// is wrong with the rest of the body turns out later.
func (f *keyFinder) find(prefix []byte) []byte {
	s := &f.scan
	s.Reset(prefix, s.Repairs[:0])
	if s.Peek() == '[' {
		if a := s.Array(); !s.Item(&a) {
			return nil
		}
	}
	if s.Peek() != '{' {
		return nil
	}
	return f.object(keyBody)
}

func (f *keyFinder) object(kind strictjson.Kind) []byte {
	s := &f.scan
	for o := s.Object(kind); s.Member(&o); {
		c := s.Peek()
		switch {
		case o.Field == keyHere && c == '"':
			if text := s.Text(); s.Fault == "" && !text.IsZero() {
				return text.AppendTo(nil)
			}
		case o.Field == keyWithin && c == '{' && kind == keyBody:
			if key := f.object(keyProperties); key != nil {
				return key
			}
		default:
			s.Skip()
		}
	}
	return nil
}
