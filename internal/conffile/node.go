package conffile

import (
	"errors"
	"strconv"
)

// Kind is the type of a node.
type Kind uint8

// These are the kinds of nodes.
const (
	Scalar Kind = iota
	List
	Map
)

// Node is one value of a file.
type Node struct {
	Kind Kind
	// Quoted marks a scalar that is certainly text: it was in quotes or in a block.
	Quoted bool
	// Line is the line in the file, from 1.
	Line int
	// Text is a scalar as written, without its quotes.
	Text string
	// Items are the items of a list, or alternately the keys and values of a map.
	Items []Node
}

// Pairs yields the keys and values of a map in the order of the file.
func (n *Node) Pairs(yield func(key, value *Node) bool) {
	for i := 0; i+1 < len(n.Items); i += 2 {
		if !yield(&n.Items[i], &n.Items[i+1]) {
			return
		}
	}
}

// IsNull reports whether the value is missing: empty, ~ or null.
func (n *Node) IsNull() bool {
	return n.Kind == Scalar && !n.Quoted && isNull(n.Text)
}

// String returns the text of a scalar. It returns ErrUnquoted for an unquoted word that some YAML reader does not take
// for text.
func (n *Node) String() (string, error) {
	if err := n.scalar("text"); err != nil {
		return "", err
	}
	if !n.Quoted && ambiguous(n.Text) {
		return "", ErrUnquoted
	}
	return n.Text, nil
}

// ErrUnquoted is the error for an unquoted word where a text is expected.
var ErrUnquoted = errors.New(
	"takes text, and some YAML readers take this unquoted word for something else: put it in quotes",
)

// Word returns a scalar as written, quoted or not.
func (n *Node) Word() (string, error) {
	return n.Text, n.scalar("a value")
}

// Int returns a whole number. Only decimal digits are valid, with or without a minus sign.
func (n *Node) Int() (int64, error) {
	const want = "a whole number in decimal digits, such as 60000"
	if err := n.scalar(want); err != nil {
		return 0, err
	}
	if n.Quoted {
		return 0, errors.New("takes " + want + ": write it without quotes")
	}
	return ParseInt(n.Text, 64)
}

// Bool returns true or false.
func (n *Node) Bool() (bool, error) {
	const want = "true or false"
	if err := n.scalar(want); err != nil {
		return false, err
	}
	if n.Quoted || n.Text != "true" && n.Text != "false" {
		return false, errors.New("takes " + want + ", in small letters and without quotes")
	}
	return n.Text == "true", nil
}

// scalar returns an error if a node is not a single value.
func (n *Node) scalar(want string) error {
	switch {
	case n.Kind == List:
		return errors.New("takes " + want + ", not a list")
	case n.Kind == Map:
		return errors.New("takes " + want + ", not a mapping")
	case n.IsNull():
		return errors.New("has no value; it takes " + want)
	}
	return nil
}

// ParseInt parses a whole number of at most bits bits: decimal digits, and a minus sign for negative numbers. Another
// base, an underscore, a point, an exponent or a leading zero is an error.
func ParseInt(text string, bits int) (int64, error) {
	if !decimal(text) {
		return 0, errors.New("takes a whole number in decimal digits, such as 60000")
	}
	v, err := strconv.ParseInt(text, 10, bits)
	if err != nil {
		return 0, errors.New("is a number out of range")
	}
	return v, nil
}

// ParseUint is ParseInt without negative numbers.
func ParseUint(text string, bits int) (uint64, error) {
	if !decimal(text) || text[0] == '-' {
		return 0, errors.New("takes a whole number in decimal digits, such as 60000")
	}
	v, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		return 0, errors.New("is a number out of range")
	}
	return v, nil
}

// ParseFloat parses decimal digits with at most one point between them.
func ParseFloat(text string) (float64, error) {
	if !fraction.MatchString(text) {
		return 0, errors.New("takes a number in decimal digits, such as 12 or 0.5")
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, errors.New("is a number out of range")
	}
	return v, nil
}

// decimal reports whether text is a plain whole number: -12, but not 012, +12 or 1_2.
func decimal(text string) bool {
	digits := text
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	if digits == "" || len(digits) > 1 && digits[0] == '0' {
		return false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
	}
	return text != "-0"
}
