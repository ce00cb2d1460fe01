package main

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

// try runs the program with the arguments and the environment, and returns what it printed.
func try(t *testing.T, args []string, env ...string) (stdout string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var out, logged bytes.Buffer
	err = run(ctx, settings.Source{Args: args, Env: env, Stdout: &out, Stderr: &logged})
	require.NoError(t, ctx.Err(), "it ran instead of saying what is wrong; it logged:\n%s", &logged)
	return out.String(), err
}

// occupied is an address that another program listens on.
func occupied(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// nobody is an address that refuses connections.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

// Another program tells this one's settings from misspelt ones by the list that all share.
func TestEveryFlagIsInTheSharedList(t *testing.T) {
	parser, err := kong.New(&cli{}, vars)
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

func TestHelp(t *testing.T) {
	out, err := try(t, []string{"--help"})
	require.ErrorIs(t, err, settings.ErrHelp)
	require.Contains(t, out, description[:20])
	require.Contains(t, out, "--config")
}

func TestVersion(t *testing.T) {
	out, err := try(t, []string{"--version"}, "SLUICE_NO_SUCH_SETTING=1")
	require.ErrorIs(t, err, settings.ErrHelp)
	require.Regexp(t, `^consumer \S+ go1\.\d\S*\n$`, out)
	help, err := try(t, []string{"--help"})
	require.ErrorIs(t, err, settings.ErrHelp)
	require.Contains(t, help, "--version")
}
