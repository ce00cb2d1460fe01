// Package strictjson reads JSON strictly, in one pass, without building values.
//
// A Scanner moves over a text, checks every byte, and tells its caller where values are. It accepts RFC 8259 and
// nothing else: UTF-8 without a byte order mark, no raw control characters, numbers by the grammar. It also refuses
// an object that names a member twice and nesting deeper than MaxDepth, so that two readers of the same text cannot
// disagree.
//
// The package knows no event. The caller numbers the kinds of objects and the members that mean something to it (see
// Kind and Field), and hands the Scanner a function that maps names to them.
//
// To change what counts as well-formed, see scanner.go (structure), strings.go, number.go and names.go (members that
// come twice). trie.go is the short cut for objects that name the same members in the same order again and again.
//
// The reader is written by hand because the gateway spends its time here. encoding/json takes over ten times as long:
// docs/design.md has the figures, and BenchmarkDecode and BenchmarkDecodeLibrary in internal/event measure both.
package strictjson
