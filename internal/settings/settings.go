package settings

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// Prefix is the start of every environment variable that is a setting.
const Prefix = "SLUICE_"

// File is the flag that names the settings file. Programs embed it in their flags.
type File struct {
	Config string `name:"config" placeholder:"FILE" help:"YAML file with settings: one flag per line, without its leading dashes."`
}

// Source is the input of Parse.
type Source struct {
	Args    []string
	Env     []string // in the format of os.Environ
	Stdout  io.Writer
	Stderr  io.Writer
	Version string // --version prints this after the program's name
}

// Process returns the source of a real program: its arguments and its environment.
func Process() Source {
	return Source{Args: os.Args[1:], Env: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr}
}

// ErrHelp is returned after help or the version was printed: the program has nothing to run.
var ErrHelp = errors.New("help was printed")

// Parse fills target, a pointer to a struct with kong tags, and returns the chosen command. Its error is one sentence
// for the operator: it names the flag, the variable, or the line of the file.
//
// If the arguments contain --version, Parse prints the program's name and src.Version, and returns ErrHelp. Parse also
// runs the commands that every program has, such as help and completion, and returns ErrHelp.
func Parse(program, description string, target any, src Source, vars kong.Vars) (*kong.Context, error) {
	if wantsVersion(src.Args) {
		if _, err := fmt.Fprintln(src.Stdout, program, src.Version); err != nil {
			return nil, fmt.Errorf("print the version: %w", err)
		}
		return nil, ErrHelp
	}
	common := &commonCommands{}
	parser, err := kong.New(target,
		kong.Name(program),
		kong.Description(description),
		kong.Writers(src.Stdout, src.Stderr),
		vars, exactly{},
		withVersion(), withCommon(common),
	)
	if err != nil {
		return nil, fmt.Errorf("describe the settings: %w", err)
	}
	if done, err := common.run(parser, src); done || err != nil {
		return nil, cmp.Or(err, ErrHelp)
	}
	values, err := newValues(parser, src)
	if err != nil {
		return nil, err
	}
	// kong checks values after this resolver returns them, so values from every source pass the same checks.
	if err := kong.Resolvers(values).Apply(parser); err != nil {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	ctx, err := parser.Parse(src.Args)
	if err != nil {
		return nil, values.explain(err)
	}
	return ctx, nil
}

// flagNames returns the flags of a program and all its commands.
func flagNames(app *kong.Kong) map[string]*kong.Flag {
	names := map[string]*kong.Flag{}
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			if f.Name != "version" && f.Name != "example" { // no variable and no line of the file sets them
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

// Variable returns the environment variable of a flag.
func Variable(flag string) string {
	return Prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
