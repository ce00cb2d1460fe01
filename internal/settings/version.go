package settings

import (
	"slices"

	"github.com/alecthomas/kong"
)

// versionFlag shows --version in --help. Parse looks for the flag itself, before any setting is read, so that a program
// with wrong settings can still say which one it is.
type versionFlag struct {
	Version bool `name:"version" help:"Print the program's version and Go's, and exit."`
}

// wantsVersion reports whether the arguments ask for the version.
func wantsVersion(args []string) bool {
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	return slices.Contains(args, "--version")
}

// withVersion adds the flag to a program, for --help.
func withVersion() kong.Option { return kong.Embed(&versionFlag{}) }
