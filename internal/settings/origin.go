package settings

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Origin is the source of a flag's value.
type Origin struct {
	// CommandLine: the value comes from the command line, not from a variable or the settings file.
	CommandLine bool
	// Place names the source in texts: "--name", "environment variable SLUICE_NAME", or "name in FILE".
	Place string
}

// Origins returns the flags of the chosen command that were given, by name. Flags with their default are left out.
func Origins(parsed *kong.Context, src Source) map[string]Origin {
	out := map[string]Origin{}
	for _, p := range parsed.Path {
		if p.Flag == nil {
			continue
		}
		name := p.Flag.Name
		switch {
		case !p.Resolved:
			out[name] = Origin{CommandLine: true, Place: "--" + name}
		case inEnvironment(src.Env, Variable(name)):
			out[name] = Origin{Place: "environment variable " + Variable(name)}
		default:
			out[name] = Origin{Place: name + " in " + configPath(src)}
		}
	}
	return out
}

func inEnvironment(env []string, variable string) bool {
	return slices.ContainsFunc(env, func(kv string) bool {
		name, text, _ := strings.Cut(kv, "=")
		return name == variable && text != ""
	})
}
