package column

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxPath is the longest path, in bytes as it is written.
	MaxPath = 512
	// MaxDepth is the most steps of a path. An event is at most 64 levels deep.
	MaxDepth = 64
	// MaxIndex is the highest index into an array.
	MaxIndex = 9999
)

// Path leads from the top of a payload to a value.
type Path []Step

// Step leads from an object to the value of a key, or from an array to one of its elements.
type Step struct {
	Key   string
	Index int // from 0; the step is an index if InArray is true
	// InArray says that the step leads into an array.
	InArray bool
}

// ParsePath reads a path: keys with dots between them, and [0] for the first element of an array. A key in double
// quotes is a JSON string and may have any characters.
func ParsePath(text string) (Path, error) {
	switch {
	case text == "":
		return nil, errors.New("the path is empty: write keys with dots between them, such as contexts.account.plan")
	case len(text) > MaxPath:
		return nil, fmt.Errorf("the path has %d bytes, at most %d are allowed", len(text), MaxPath)
	case !utf8.ValidString(text):
		return nil, errors.New("the path is not valid UTF-8")
	case text == "$" || strings.HasPrefix(text, "$.") || strings.HasPrefix(text, "$["):
		return nil, errors.New(`the path begins at the top of the payload: leave out the $, or write "$" for such a key`)
	}
	return parse(text)
}

// parse reads a path of any length.
func parse(text string) (path Path, err error) {
	for rest := text; ; {
		step, after, err := parseStep(rest, len(path) == 0)
		if err != nil {
			return nil, fmt.Errorf("%w, at byte %d of the path", err, len(text)-len(rest)+1)
		}
		if path = append(path, step); len(path) > MaxDepth {
			return nil, fmt.Errorf("the path has more than %d steps", MaxDepth)
		}
		if rest = after; rest == "" {
			return path, nil
		}
	}
}

// parseStep reads the step that a text begins with.
func parseStep(text string, first bool) (step Step, rest string, err error) {
	if text[0] == '[' {
		if first {
			return step, "", errors.New("a payload is an object: begin with a key")
		}
		return parseIndex(text)
	}
	if !first {
		if text[0] != '.' {
			return step, "", errors.New("write a dot before the next key")
		}
		text = text[1:]
	}
	if strings.HasPrefix(text, `"`) {
		return parseQuoted(text)
	}
	end := strings.IndexFunc(text, endsKey)
	if end < 0 {
		end = len(text)
	}
	if end == 0 {
		return step, "", errors.New(`a key is missing (put odd keys in double quotes: a."b.c".d)`)
	}
	return Step{Key: text[:end]}, text[end:], nil
}

// endsKey reports whether a character cannot be in a key without quotes.
func endsKey(r rune) bool {
	return r == '.' || r == '[' || r == ']' || r == '"' || r == '\\' || r == '\'' || unicode.IsSpace(r) || !unicode.IsPrint(r)
}

var indexForm = regexp.MustCompile(`^\[([0-9]{1,9})\]`)

func parseIndex(text string) (step Step, rest string, err error) {
	m := indexForm.FindStringSubmatch(text)
	if m == nil {
		return step, "", errors.New("an index is a number in brackets, such as [0] for the first element")
	}
	n, _ := strconv.Atoi(m[1])
	if n > MaxIndex {
		return step, "", fmt.Errorf("an index is at most %d", MaxIndex)
	}
	return Step{Index: n, InArray: true}, text[len(m[0]):], nil
}

// parseQuoted reads a key in double quotes, which is a JSON string.
func parseQuoted(text string) (step Step, rest string, err error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	if err := decoder.Decode(&step.Key); err != nil {
		return step, "", errors.New("a key in double quotes is a JSON string, which this is not")
	}
	return step, text[decoder.InputOffset():], nil
}

// bareKey matches keys that String writes without quotes.
var bareKey = regexp.MustCompile(`^[\pL\pN_@:/$-]+$`)

// String writes the path so that ParsePath reads it again.
func (p Path) String() string {
	var out strings.Builder
	for n, step := range p {
		switch {
		case step.InArray:
			fmt.Fprintf(&out, "[%d]", step.Index)
			continue
		case n > 0:
			out.WriteByte('.')
		}
		if bareKey.MatchString(step.Key) && step.Key != "$" {
			out.WriteString(step.Key)
		} else {
			out.WriteString(quotedKey(step.Key))
		}
	}
	return out.String()
}

func quotedKey(key string) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(key) // a text, into memory
	return strings.TrimSuffix(out.String(), "\n")
}
