package manual

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// exampleWidth is the width of the comments in the settings file, in columns.
const exampleWidth = 100

// Example writes a settings file with every setting of the program, as a comment with its help and its default. A
// setting of the program itself whose tag says example:"VALUE" is not a comment: the program does not run without it.
func (m *Manual) Example(out io.Writer) error {
	p := &page{width: exampleWidth}
	name := m.Program.Name
	p.line("# Settings of " + name + ", for " + name + " --config FILE.")
	p.line("#")
	p.line("# A line that begins with # and a name shows a default. To change a setting, remove the # and write")
	p.line("# another value. A value in capitals is not a default: it stands for one of your own.")
	p.line("# A flag overrides its environment variable, and the variable overrides this file.")
	var global []*kong.Flag
	for _, f := range m.Program.Flags {
		if inFile(f) {
			global = append(global, f)
		}
	}
	seen := map[string]bool{}
	for _, s := range sections(global) {
		m.exampleSection(p, s.title, s.flags, seen)
	}
	m.exampleCommands(p, m.Program.Node, seen)
	_, err := io.WriteString(out, p.text.String())
	return err
}

// exampleCommands adds the flags of the commands below a node. A flag of several commands is described once.
func (m *Manual) exampleCommands(p *page, of *kong.Node, seen map[string]bool) {
	for _, c := range commands(of) {
		var own []*kong.Flag
		for _, f := range c.Flags {
			if inFile(f) && !seen[f.Name] {
				own = append(own, f)
			}
		}
		for _, s := range sections(own) {
			title := commandPath(c)
			if s.title != ownTitle {
				title += ": " + s.title
			}
			m.exampleSection(p, title, s.flags, seen)
		}
		m.exampleCommands(p, c, seen)
	}
}

func commandPath(of *kong.Node) string {
	var words []string
	for n := of; n != nil; n = n.Parent {
		words = append(words, n.Name)
	}
	slices.Reverse(words)
	return strings.Join(words, " ")
}

// inFile reports whether the settings file may have a flag.
func inFile(f *kong.Flag) bool { return isSetting(f) && f.Name != "config" && !f.Hidden }

func (m *Manual) exampleSection(p *page, title string, flags []*kong.Flag, seen map[string]bool) {
	p.line("")
	p.line("# ---- " + title + " ----")
	for _, f := range flags {
		if seen[f.Name] {
			continue
		}
		seen[f.Name] = true
		p.line("")
		for _, line := range wrap(f.Help, exampleWidth-len("# ")) {
			p.line("# " + line)
		}
		if value := f.Tag.Get("example"); value != "" && slices.Contains(m.Program.Flags, f) {
			p.line(f.Name + ": " + quoted(f, value))
			continue
		}
		p.line("#" + f.Name + ": " + exampleValue(f))
	}
}

// exampleValue is the default of a setting in YAML, or a placeholder.
func exampleValue(f *kong.Flag) string {
	switch {
	case f.IsBool() && f.Default == "":
		return "false"
	case f.Default != "" && f.IsSlice():
		return "[" + quoteYAML(strings.Split(f.Default, ",")...) + "]"
	case f.Default != "":
		return quoted(f, f.Default)
	case f.IsSlice():
		return "[" + quoteYAML(valueName(f)) + "]"
	default:
		return quoted(f, valueName(f))
	}
}

// quoted puts a text in quotes. Numbers, times and switches need none.
func quoted(f *kong.Flag, value string) string {
	if kind := f.Target.Type().Kind(); kind != reflect.String && !f.IsSlice() {
		return value
	}
	return quoteYAML(value)
}

func quoteYAML(texts ...string) string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = fmt.Sprintf("%q", text)
	}
	return strings.Join(out, ", ")
}
