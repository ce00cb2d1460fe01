package manual

import (
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"
)

// Shells are the shells that a script exists for.
var Shells = []string{"bash", "zsh", "fish"}

// CompleteCommand is the hidden command with which the scripts ask the program for candidates.
const CompleteCommand = "__complete"

//go:embed scripts
var scripts embed.FS

var templates = template.Must(template.New("").Delims("<<", ">>").ParseFS(scripts, "scripts/*"))

// Script writes the script that makes a shell complete the program's command line. The script asks the program, so that
// it stays valid for later versions.
func (m *Manual) Script(out io.Writer, shell string) error {
	if !slices.Contains(Shells, shell) {
		return fmt.Errorf("no completion for %q; there is one for %s", shell, strings.Join(Shells, ", "))
	}
	return templates.ExecuteTemplate(out, "completion."+shell, struct{ Program, Function, Ask string }{
		Program: m.Program.Name, Function: "_" + strings.ReplaceAll(m.Program.Name, "-", "_") + "_complete",
		Ask: CompleteCommand,
	})
}

// Answer writes the answer to a script's question: the kind, then a candidate a line, with a tab before its meaning.
func (m *Manual) Answer(out io.Writer, words []string) error {
	kind, candidates := m.Complete(words)
	var text strings.Builder
	fmt.Fprintln(&text, kind)
	for _, c := range candidates {
		fmt.Fprintf(&text, "%s\t%s\n", c.Word, c.About)
	}
	_, err := io.WriteString(out, text.String())
	return err
}
