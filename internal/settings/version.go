package settings

import (
	"slices"

	"github.com/alecthomas/kong"
)

// versionFlag adds --version to --help. Parse looks for the flag itself, before it reads any setting, so that a program
// with wrong settings still prints its version.
type versionFlag struct {
	Version bool `name:"version" help:"Print the version of the program and of Go, and exit."`
}

// wantsVersion reports whether the arguments contain --version.
func wantsVersion(args []string) bool {
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	return slices.Contains(args, "--version")
}

// withVersion adds the flag to a program, for --help.
func withVersion() kong.Option { return kong.Embed(&versionFlag{}) }
