package docs

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"sluice/internal/settings"
)

// Model returns kong's model of a struct of settings.
func Model(t testing.TB, target any, options ...kong.Option) *kong.Node {
	t.Helper()
	app, err := kong.New(target, options...)
	if err != nil {
		t.Fatal(err)
	}
	return app.Model.Node
}

// Command returns the model of a command, such as "topics apply".
func Command(t testing.TB, program *kong.Node, path string) *kong.Node {
	t.Helper()
	at := program
	for name := range strings.FieldsSeq(path) {
		i := slices.IndexFunc(at.Children, func(child *kong.Node) bool { return child.Name == name })
		if i < 0 {
			t.Fatalf("no command %q", path)
		}
		at = at.Children[i]
	}
	return at
}

// Flags returns the settings of a command, in the order of its struct, and after them those of the commands below it.
// The settings of other models are left out.
func Flags(of *kong.Node, without ...*kong.Node) []*kong.Flag {
	var out []*kong.Flag
	for _, f := range tree(of) {
		known := named(f.Name)
		inOther := slices.ContainsFunc(without, func(n *kong.Node) bool { return slices.ContainsFunc(tree(n), known) })
		if !inOther && !slices.ContainsFunc(out, known) {
			out = append(out, f)
		}
	}
	return out
}

func named(name string) func(*kong.Flag) bool {
	return func(f *kong.Flag) bool { return f.Name == name }
}

// tree is all settings of a command and of those below it.
func tree(of *kong.Node) []*kong.Flag {
	var out []*kong.Flag
	for _, f := range of.Flags {
		if f.Name != "help" && f.Name != "version" {
			out = append(out, f)
		}
	}
	for _, child := range of.Children {
		out = append(out, tree(child)...)
	}
	return out
}

// SettingsTable is a Markdown table of settings: flag, variable, default, help.
func SettingsTable(flags []*kong.Flag) string {
	var out strings.Builder
	out.WriteString("| flag | variable | default | meaning |\n|---|---|---|---|\n")
	for _, f := range flags {
		variable := settings.Variable(f.Name)
		fmt.Fprintf(&out, "| `--%s` | `%s` | %s | %s |\n", f.Name, variable, shownDefault(f), cell(f.Help))
	}
	return out.String()
}

func shownDefault(f *kong.Flag) string {
	switch {
	case f.Default != "":
		return "`" + f.Default + "`"
	case f.IsBool():
		return "off"
	default:
		return ""
	}
}

// cell keeps a text from ending its cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
