package manual

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Kind says what a shell offers besides the candidates.
type Kind string

// Kinds of completion.
const (
	KindWords Kind = ":words" // only the candidates
	KindFiles Kind = ":files" // files and directories
	KindDirs  Kind = ":dirs"  // directories
)

// Candidate is a word that may complete the last one, and what it means.
type Candidate struct{ Word, About string }

// Complete returns what may stand in place of the last of the words after the program's name. If that word is
// --flag=value, the candidates are values.
func (m *Manual) Complete(words []string) (Kind, []Candidate) {
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	at := m.position(words[:len(words)-1])
	switch flag, value, assigned := strings.Cut(last, "="); {
	case at.value != nil:
		return valueCandidates(at.value, last)
	case at.afterFlags:
		return argumentCandidates(at, last)
	case assigned && strings.HasPrefix(flag, "--"):
		if f := find(flags(at.command), strings.TrimPrefix(flag, "--")); f != nil {
			return valueCandidates(f.Value, value)
		}
		return KindWords, nil
	case strings.HasPrefix(last, "-"):
		return KindWords, flagCandidates(at, last)
	}
	kind, out := argumentCandidates(at, last)
	for _, c := range commands(at.command) {
		if len(at.arguments) == 0 && strings.HasPrefix(c.Name, last) {
			out = append(out, Candidate{c.Name, firstSentence(c.Help)})
		}
	}
	return kind, out
}

// position is where in the program a command line has got to.
type position struct {
	command    *kong.Node
	value      *kong.Value // the flag whose value comes next, or nil
	arguments  []string    // given so far
	given      map[string]bool
	afterFlags bool // after --
}

func (m *Manual) position(words []string) position {
	at := position{command: m.Program.Node, given: map[string]bool{}}
	for _, word := range words {
		switch next := child(at.command, word); {
		case at.value != nil:
			at.value = nil
		case word == "--":
			at.afterFlags = true
		case strings.HasPrefix(word, "--") && !at.afterFlags:
			name, _, assigned := strings.Cut(strings.TrimPrefix(word, "--"), "=")
			at.given[name] = true
			if f := find(flags(at.command), name); f != nil && !assigned && !f.IsBool() {
				at.value = f.Value
			}
		case next != nil && len(at.arguments) == 0:
			at.command = next
		case !strings.HasPrefix(word, "-"):
			at.arguments = append(at.arguments, word)
		}
	}
	return at
}

func find(in []*kong.Flag, name string) *kong.Flag {
	i := slices.IndexFunc(in, func(f *kong.Flag) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return in[i]
}

func valueCandidates(v *kong.Value, begin string) (Kind, []Candidate) {
	var out []Candidate
	options := choices(v)
	if v.IsBool() {
		options = []string{"true", "false"}
	}
	for _, choice := range options {
		if strings.HasPrefix(choice, begin) {
			out = append(out, Candidate{Word: choice})
		}
	}
	switch file, dir := isPath(v); {
	case file:
		return KindFiles, out
	case dir:
		return KindDirs, out
	}
	return KindWords, out
}

func flagCandidates(at position, begin string) []Candidate {
	var out []Candidate
	for _, f := range flags(at.command) {
		word := "--" + f.Name
		if strings.HasPrefix(word, begin) && !at.given[f.Name] {
			out = append(out, Candidate{word, firstSentence(f.Help)})
		}
	}
	slices.SortFunc(out, func(a, b Candidate) int { return strings.Compare(a.Word, b.Word) })
	return out
}

// argumentCandidates completes the next argument of a command. The arguments of help are commands.
func argumentCandidates(at position, begin string) (Kind, []Candidate) {
	args, n := at.command.Positional, len(at.arguments)
	if len(args) > 0 && args[len(args)-1].IsSlice() {
		n = min(n, len(args)-1)
	}
	if n >= len(args) {
		return KindWords, nil
	}
	if args[n].Tag.Has("commands") {
		root := at.command.Parent
		for _, name := range at.arguments {
			if root = child(root, name); root == nil {
				return KindWords, nil
			}
		}
		var out []Candidate
		for _, c := range commands(root) {
			if strings.HasPrefix(c.Name, begin) {
				out = append(out, Candidate{c.Name, firstSentence(c.Help)})
			}
		}
		return KindWords, out
	}
	return valueCandidates(args[n], begin)
}
