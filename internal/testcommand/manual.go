package testcommand

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"sluice/internal/settings"
	"sluice/internal/settings/manual"
)

// commandPaths returns the paths of all commands, such as "dead list", and of the program itself, "".
func (p Program) commandPaths(t *testing.T) map[string]*kong.Node {
	t.Helper()
	parser, err := kong.New(p.Settings, p.Vars)
	require.NoError(t, err)
	out := map[string]*kong.Node{}
	var walk func(path string, node *kong.Node)
	walk = func(path string, node *kong.Node) {
		out[path] = node
		for _, c := range node.Children {
			walk(strings.TrimSpace(path+" "+c.Name), c)
		}
	}
	walk("", parser.Model.Node)
	return out
}

// helps tests the help of every command: its width, its order, and that each flag has its variable and default.
func (p Program) helps(t *testing.T) {
	for path, node := range p.commandPaths(t) {
		words := strings.Fields(path)
		out, err := p.Try(t, append(slices.Clone(words), "-h"), "SLUICE_NO_SUCH_SETTING=1")
		require.ErrorIs(t, err, settings.ErrHelp, path)
		same, err := p.Try(t, append([]string{"help"}, words...), "SLUICE_NO_SUCH_SETTING=1")
		require.ErrorIs(t, err, settings.ErrHelp, path)
		require.Equal(t, out, same, "%s: help and -h differ", path)
		for line := range strings.Lines(out) {
			line = strings.TrimRight(line, "\n")
			if utf8.RuneCountInString(line) > manual.MinWidth && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("%s: wider than %d columns: %q", path, manual.MinWidth, line)
			}
		}
		require.Contains(t, out, "Exit codes: 0")
		if len(node.Children) > 0 {
			require.Less(t, strings.Index(out, "\nCommands:\n"), strings.Index(out, "\n  --config"), path)
		}
		flat := strings.Join(strings.Fields(out), " ")
		for _, f := range node.Flags {
			if f.Name == "help" {
				continue
			}
			require.Contains(t, out, "  --"+f.Name)
			require.Regexp(t, regexp.QuoteMeta("[$"+settings.Variable(f.Name))+`[,\]]`, flat)
			if f.Default != "" {
				require.Contains(t, flat, "default "+f.Default+"]", f.Name)
			}
		}
	}
	_, err := p.Try(t, []string{"help", "halth"})
	require.ErrorContains(t, err, `"halth"`)
	require.NotErrorIs(t, err, settings.ErrHelp)
}

// line of the example: a setting as a comment, or in force.
var exampleLine = regexp.MustCompile(`(?m)^(#?)([a-z][a-z0-9-]*): (.*)$`)

// Example returns the settings file that config --example prints.
func (p Program) Example(t *testing.T) string {
	t.Helper()
	text, err := p.Try(t, []string{"config", "--example"}, "SLUICE_NO_SUCH_SETTING=1")
	require.ErrorIs(t, err, settings.ErrHelp)
	return text
}

// examples tests that the example has every setting once, that the program reads it, and that it still does with each
// default in force, and with all of them.
func (p Program) examples(t *testing.T) {
	text := p.Example(t)
	count := map[string]int{}
	for _, m := range exampleLine.FindAllStringSubmatch(text, -1) {
		count[m[2]]++
	}
	for path, node := range p.commandPaths(t) {
		for _, f := range node.Flags {
			if f.Name != "help" && f.Name != "config" {
				require.Equal(t, 1, count[f.Name], "%s --%s", path, f.Name)
			}
		}
	}
	reads := func(text string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "settings.yaml")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		commands := p.Commands
		if len(commands) == 0 {
			commands = []string{""}
		}
		for _, command := range commands {
			src := settings.Source{Args: append(strings.Fields(command), "--config="+path)}
			_, err := settings.Parse(p.Name, p.Description, p.Settings, src, p.Vars)
			require.NoError(t, err, command)
		}
	}
	reads(text)
	all := text
	for _, m := range exampleLine.FindAllStringSubmatch(text, -1) {
		if m[1] == "" || regexp.MustCompile(`^[["]*[A-Z]{2}`).MatchString(m[3]) {
			continue // in force, or a placeholder
		}
		reads(strings.Replace(text, "\n"+m[0]+"\n", "\n"+strings.TrimPrefix(m[0], "#")+"\n", 1))
		all = strings.Replace(all, "\n"+m[0]+"\n", "\n"+strings.TrimPrefix(m[0], "#")+"\n", 1)
	}
	reads(all)
}
