package conffile

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Fault is an error at a line of a file. Lines count from 1.
type Fault struct {
	Line int
	Err  error
}

// Error implements error.
func (f *Fault) Error() string { return fmt.Sprintf("line %d: %v", f.Line, f.Err) }

// Unwrap returns Err, for errors.Is and errors.As.
func (f *Fault) Unwrap() error { return f.Err }

// faultAt returns a Fault with a constant text.
func faultAt(line int, what string) *Fault { return &Fault{line, errors.New(what)} }

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(?s:(.*))$`)

// syntax converts an error of the YAML library into a Fault. The library counts lines from the start of its own text. A
// few of its errors quote the file, and syntax replaces those texts.
func syntax(err error, above int) *Fault {
	line, text := 1, strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		text = m[2]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
	}
	switch {
	case strings.Contains(text, "unknown anchor"), strings.Contains(text, "contains itself"):
		text = errAlias.Error()
	case strings.Contains(text, "unknown tag"), strings.Contains(text, "undefined tag"):
		text = errTag.Error()
	case strings.Contains(text, "cannot start any token"):
		text = "not YAML: a tab in the indentation, or a text that begins with one of @ ` % needs quotes"
	case strings.ContainsAny(text, "\"\n"):
		text = "not YAML"
	default:
		text = "not YAML: " + text
	}
	return faultAt(above+line, text)
}

var (
	errAlias     = errors.New("anchors and aliases are not supported; a text that begins with & or * needs quotes")
	errTag       = errors.New("tags are not supported; a text that begins with ! needs quotes")
	errMerge     = errors.New("merge keys (<<) are not supported")
	errNoKey     = errors.New("a key must be a word")
	errDocuments = errors.New("a second YAML document begins here; the file must hold one")
	errDirective = errors.New("YAML directives (%) are not supported")
)

// nameForm matches names of fields. Keys and passwords are longer or contain other characters.
var nameForm = regexp.MustCompile(`^[A-Za-z_-][A-Za-z0-9_-]{0,31}$`)

// Name returns a field's name for an error text. It hides a name that may be a misplaced secret.
func Name(name string) string {
	if nameForm.MatchString(name) {
		return strconv.Quote(name)
	}
	return "(not shown: it does not look like a name)"
}

func twice(key *Node) *Fault {
	return &Fault{key.Line, fmt.Errorf("%s is given twice", Name(key.Text))}
}
