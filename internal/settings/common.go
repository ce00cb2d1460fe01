package settings

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"sluice/internal/settings/manual"
)

// commonCommands are the commands that every program has. They print something about the program and read no settings,
// so that they work beside wrong settings too.
type commonCommands struct {
	Config struct {
		Example bool `name:"example" required:"" help:"Print a settings file with every setting as a comment."`
	} `cmd:"" standalone:"" help:"Print an example of the file for --config."`
	Completion struct {
		Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: bash, zsh or fish."`
	} `cmd:"" standalone:"" help:"Print a script that makes a shell complete command lines; it says how to install it."`
	Help struct {
		Command []string `arg:"" optional:"" commands:"" help:"The command. Without one, the help is the program's."`
	} `cmd:"" standalone:"" help:"Print the help of the program or of a command, as --help does."`
}

// withCommon adds the common commands to a program.
func withCommon(c *commonCommands) kong.Option { return kong.Embed(c) }

// run runs a common command, or prints help, if the arguments ask for that. It reports whether they do.
func (c *commonCommands) run(parser *kong.Kong, src Source) (done bool, err error) {
	about := manualOf(parser)
	if len(src.Args) > 0 && src.Args[0] == manual.CompleteCommand {
		words := src.Args[1:]
		if len(words) > 0 && words[0] == "--" {
			words = words[1:]
		}
		return true, about.Answer(src.Stdout, words)
	}
	traced, err := kong.Trace(parser, src.Args)
	switch {
	case err != nil:
		return false, err
	case asksForHelp(traced):
		return true, about.Help(src.Stdout, traced.Selected(), columns(src.Stdout))
	case !isCommon(parser, traced.Selected()):
		return false, nil
	}
	if _, err := parser.Parse(src.Args); err != nil {
		return true, err
	}
	switch traced.Selected().Name {
	case "completion":
		return true, about.Script(src.Stdout, c.Completion.Shell)
	case "config":
		return true, about.Example(src.Stdout)
	}
	command, err := commandNamed(parser, c.Help.Command)
	if err != nil {
		return true, err
	}
	return true, about.Help(src.Stdout, command, columns(src.Stdout))
}

// isCommon reports whether a command is a common one of the program.
func isCommon(parser *kong.Kong, command *kong.Node) bool {
	if command == nil || command.Parent != parser.Model.Node {
		return false
	}
	return command.Name == "completion" || command.Name == "config" || command.Name == "help"
}

func asksForHelp(traced *kong.Context) bool {
	for _, p := range traced.Path {
		if p.Flag != nil && p.Flag.Name == "help" {
			return true
		}
	}
	return false
}

// commandNamed returns the command of this name, nil for the program itself.
func commandNamed(parser *kong.Kong, path []string) (*kong.Node, error) {
	at := parser.Model.Node
	for i, name := range path {
		var next *kong.Node
		var known []string
		for _, c := range at.Children {
			known = append(known, c.Name)
			if c.Name == name {
				next = c
			}
		}
		if next == nil {
			asked := strings.Join(path[:i+1], " ")
			return nil, fmt.Errorf("there is no command %q%s", asked, suggest(name, known))
		}
		at = next
	}
	return at, nil
}

func manualOf(parser *kong.Kong) *manual.Manual {
	return &manual.Manual{Program: parser.Model, Variable: Variable}
}

// columns returns the width of a terminal, or 0 if out is none.
func columns(out io.Writer) int {
	file, ok := out.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}
