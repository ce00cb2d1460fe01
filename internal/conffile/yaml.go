package conffile

import (
	"bytes"
	"errors"
	"io"

	"go.yaml.in/yaml/v3"
)

// Parse parses a small YAML file that is one mapping. An empty file is an empty mapping. Its error is a *Fault if it
// concerns a line.
func Parse(text []byte) (*Node, error) {
	if utf16(text) {
		return nil, errors.New(notUTF8)
	}
	text = bytes.TrimPrefix(text, bom)
	line := 0
	for l := range bytes.Lines(text) {
		line++
		if f := checkLine(l, line); f != nil {
			return nil, f
		}
		if l[0] == '%' {
			return nil, &Fault{line, errDirective}
		}
	}
	return document(text, 0)
}

// document parses one YAML document. above is the number of lines before it in the file.
func document(text []byte, above int) (*Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc, next yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return &Node{Kind: Map, Line: above + 1}, nil
	case err != nil:
		return nil, syntax(err, above)
	}
	switch err := d.Decode(&next); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, syntax(err, above)
	default:
		return nil, &Fault{above + next.Line, errDocuments}
	}
	var out Node
	if f := convert(doc.Content[0], &out, above); f != nil {
		return nil, f
	}
	if out.IsNull() {
		return &Node{Kind: Map, Line: out.Line}, nil
	}
	return &out, nil
}

// convert copies a node of the library, and reports features that conffile does not support.
func convert(from *yaml.Node, to *Node, above int) *Fault {
	to.Line = from.Line + above
	switch {
	case from.Kind == yaml.AliasNode, from.Anchor != "":
		return &Fault{to.Line, errAlias}
	case from.Style&yaml.TaggedStyle != 0:
		return &Fault{to.Line, errTag}
	case from.Kind == yaml.ScalarNode:
		const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
		to.Text, to.Quoted = from.Value, from.Style&quoted != 0
		return nil
	case from.Kind == yaml.SequenceNode:
		to.Kind = List
	default:
		to.Kind = Map
	}
	to.Items = make([]Node, len(from.Content))
	for i, c := range from.Content {
		if f := convert(c, &to.Items[i], above); f != nil {
			return f
		}
	}
	if to.Kind == Map {
		return checkKeys(to)
	}
	return nil
}

// checkKeys reports keys that are not words, merge keys and repeated keys.
func checkKeys(n *Node) *Fault {
	for key := range n.Pairs {
		switch {
		case key.Kind != Scalar:
			return &Fault{key.Line, errNoKey}
		case !key.Quoted && key.Text == "<<":
			return &Fault{key.Line, errMerge}
		}
	}
	return checkTwice(n)
}

// fewKeys is the largest number of keys that are compared in pairs.
const fewKeys = 32

// checkTwice reports a repeated key.
func checkTwice(n *Node) *Fault {
	if len(n.Items) > 2*fewKeys {
		seen := make(map[string]struct{}, len(n.Items)/2)
		for key := range n.Pairs {
			if _, ok := seen[key.Text]; ok {
				return twice(key)
			}
			seen[key.Text] = struct{}{}
		}
		return nil
	}
	for i := 0; i < len(n.Items); i += 2 {
		for j := 0; j < i; j += 2 {
			if n.Items[j].Text == n.Items[i].Text {
				return twice(&n.Items[i])
			}
		}
	}
	return nil
}
