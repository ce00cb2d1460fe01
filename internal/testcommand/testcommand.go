// Package testcommand tests Sluice's programs from the command line, inside the test's process.
package testcommand

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"sluice/internal/settings"
)

// patience is how long a program may take to end. Programs under test end by themselves.
const patience = time.Minute

// Program is a program under test.
type Program struct {
	// Name is the program's name, as --version prints it.
	Name string
	// Description is the text in --help.
	Description string
	// Settings is a pointer to the struct with the program's kong tags, and Vars are the variables in these tags.
	Settings any
	Vars     kong.Vars
	// Commands are commands that together read every setting of the file. None is the default command.
	Commands []string
	// EnumLine is the beginning of a command line that ends in a flag with the value json.
	EnumLine string
	// Run runs the program.
	Run func(context.Context, settings.Source) error
}

// Try runs the program with these arguments and this environment, and returns its standard output and its error.
func (p Program) Try(t *testing.T, args []string, env ...string) (stdout string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, logged bytes.Buffer
	err = p.Run(ctx, settings.Source{Args: args, Env: env, Stdout: &out, Stderr: &logged})
	require.NoError(t, ctx.Err(), "the program ran instead of printing its error; it logged:\n%s", &logged)
	return out.String(), err
}

// Basics tests what all programs have in common: --help, --version, and that other programs know the names of their
// settings.
func (p Program) Basics(t *testing.T) {
	t.Run("every flag is in the shared list", p.sharesFlags)
	t.Run("help", func(t *testing.T) {
		out, err := p.Try(t, []string{"--help"})
		require.ErrorIs(t, err, settings.ErrHelp)
		require.Contains(t, out, p.Description[:20])
		require.Contains(t, out, "--config")
	})
	t.Run("help of every command", p.helps)
	t.Run("example of the settings file", p.examples)
	t.Run("version", func(t *testing.T) {
		out, err := p.Try(t, []string{"--version"}, "SLUICE_NO_SUCH_SETTING=1")
		require.ErrorIs(t, err, settings.ErrHelp)
		require.Regexp(t, `^`+p.Name+` \S+ go1\.\d\S*\n$`, out)
		help, err := p.Try(t, []string{"--help"})
		require.ErrorIs(t, err, settings.ErrHelp)
		require.Contains(t, help, "--version")
	})
}

// sharesFlags tests that other programs can tell this program's settings from misspellings.
func (p Program) sharesFlags(t *testing.T) {
	parser, err := kong.New(p.Settings, p.Vars)
	require.NoError(t, err)
	n := 0
	var walk func(*kong.Node)
	walk = func(node *kong.Node) {
		for _, f := range node.Flags {
			if f.Name != "help" {
				require.True(t, settings.Known(f.Name), "%s is missing in internal/settings/names.go", f.Name)
				n++
			}
		}
		for _, child := range node.Children {
			walk(child)
		}
	}
	walk(parser.Model.Node)
	require.Greater(t, n, 10)
}

// Occupied returns an address that another listener has until the test ends.
func Occupied(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// Nobody returns an address that refuses connections.
func Nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}
