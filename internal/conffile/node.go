package conffile

import (
	"errors"
	"strconv"
)

// Kind says what a node is.
type Kind uint8

// The kinds of nodes.
const (
	Scalar Kind = iota
	List
	Map
)

// Node is one value of a file.
type Node struct {
	Kind Kind
	// Quoted says that a scalar is text for certain: it was in quotes or in a block.
	Quoted bool
	// Line counts from 1.
	Line int
	// Text is a scalar as it is written, without its quotes.
	Text string
	// Items are the items of a list, or the keys and values of a map in turn.
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

// IsNull says that there is no value: nothing at all, ~ or null.
func (n *Node) IsNull() bool {
	return n.Kind == Scalar && !n.Quoted && isNull(n.Text)
}

// String returns a text. An unquoted word that is not text to every YAML reader is an error.
func (n *Node) String() (string, error) {
	if err := n.scalar("text"); err != nil {
		return "", err
	}
	if !n.Quoted && ambiguous(n.Text) {
		return "", ErrUnquoted
	}
	return n.Text, nil
}

// ErrUnquoted is the error of an unquoted word where a text is wanted.
var ErrUnquoted = errors.New("takes text, and unquoted this is not text to every YAML reader: put it in quotes")

// Word returns a scalar as it is written, quoted or not.
func (n *Node) Word() (string, error) {
	return n.Text, n.scalar("a value")
}

// Int returns a whole number: decimal digits, nothing else.
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

// scalar reports that a node is not one value.
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

// ParseInt reads a whole number that fits in so many bits. Only decimal digits count, with a minus sign in front for what is
// below zero: no other base, no underscore, no point, no exponent, no leading zero.
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

// ParseUint is ParseInt without numbers below zero.
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

// ParseFloat reads decimal digits with at most one point between them.
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

// decimal says whether text is a whole number as people write it: -12, but not 012, +12 or 1_2.
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
