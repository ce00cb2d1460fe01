// Package settings reads a program's settings from flags, the environment and a file.
//
// A setting is a struct field with kong tags; its help tag is the manual, shown by --help and copied into docs/settings.md. The
// order of precedence is: flag, environment (SLUICE_ and the flag in capitals, with _ for -), file, default. An empty
// variable counts as not set.
//
// What is written nowhere is an error at start rather than a surprise at night: an unknown key of the file and an unknown
// SLUICE_ variable stop the program, unless they belong to another of Sluice's programs (one file and one environment can
// serve all of them) or are variables that Kubernetes makes for a Service.
package settings

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// Prefix begins every environment variable that is a setting.
const Prefix = "SLUICE_"

// File is the flag that names the settings file; programs embed it in their flags.
type File struct {
	Config string `name:"config" placeholder:"FILE" help:"YAML file with settings: the flags' names without dashes in front, one to a line."`
}

// Source is where settings come from besides the target's defaults.
type Source struct {
	Args    []string
	Env     []string // as os.Environ gives it
	Stdout  io.Writer
	Stderr  io.Writer
	Version string // what --version prints behind the program's name
}

// Process is the source of a real program: its arguments and its environment.
func Process() Source {
	return Source{Args: os.Args[1:], Env: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr}
}

// ErrHelp says that help or the version was asked for and printed: there is nothing to run.
var ErrHelp = errors.New("help was printed")

// Parse fills target, a pointer to a struct with kong tags, and returns the chosen command. Its error is one sentence for
// the person who wrote the setting: it names the flag, the variable or the line of the file.
//
// With --version among the arguments it prints the program's name and src.Version, and returns ErrHelp.
func Parse(program, description string, target any, src Source, vars kong.Vars) (*kong.Context, error) {
	if wantsVersion(src.Args) {
		if _, err := fmt.Fprintln(src.Stdout, program, src.Version); err != nil {
			return nil, fmt.Errorf("print the version: %w", err)
		}
		return nil, ErrHelp
	}
	helped := false
	parser, err := kong.New(target,
		kong.Name(program),
		kong.Description(description),
		kong.Writers(src.Stdout, src.Stderr),
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		vars, exactly{},
		withVersion(),
	)
	if err != nil {
		return nil, fmt.Errorf("describe the settings: %w", err)
	}
	values, err := newValues(parser, src)
	if err != nil {
		return nil, err
	}
	// The resolver sees the values before they are checked, so every source is checked the same way.
	if err := kong.Resolvers(values).Apply(parser); err != nil {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	ctx, err := parser.Parse(src.Args)
	if helped {
		return nil, ErrHelp
	}
	if err != nil {
		return nil, values.explain(err)
	}
	return ctx, nil
}

// flagNames lists the flags of a program, over all its commands.
func flagNames(app *kong.Kong) map[string]*kong.Flag {
	names := map[string]*kong.Flag{}
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			if f.Name != "version" { // never a variable or a line of the file
				names[f.Name] = f
			}
		}
		for _, c := range n.Children {
			walk(c)
		}
	}
	walk(app.Model.Node)
	return names
}

// Variable is the environment variable of a flag.
func Variable(flag string) string {
	return Prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
