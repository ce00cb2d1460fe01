package manual

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Manual writes about one program.
type Manual struct {
	// Program is kong's model of the program.
	Program *kong.Application
	// Variable returns the environment variable of a setting.
	Variable func(flag string) string
}

// commands returns the visible commands below a node.
func commands(of *kong.Node) []*kong.Node {
	return slices.DeleteFunc(slices.Clone(of.Children), func(n *kong.Node) bool { return n.Hidden })
}

// child returns the command of this name, or nil.
func child(of *kong.Node, name string) *kong.Node {
	i := slices.IndexFunc(of.Children, func(n *kong.Node) bool { return n.Name == name })
	if i < 0 {
		return nil
	}
	return of.Children[i]
}

// flags returns the visible flags that a command takes: its own first, then those of the commands above it. Of a
// command whose tag says standalone, which reads no settings, these are its own and --help.
func flags(of *kong.Node) []*kong.Flag {
	var out []*kong.Flag
	for n := of; n != nil; n = n.Parent {
		for _, f := range n.Flags {
			unread := n != of && of.Tag != nil && of.Tag.Has("standalone") && f.Name != "help"
			if !f.Hidden && !unread && !slices.ContainsFunc(out, func(o *kong.Flag) bool { return o.Name == f.Name }) {
				out = append(out, f)
			}
		}
	}
	return out
}

// isSetting reports whether a flag can also be set by a variable or the settings file.
func isSetting(f *kong.Flag) bool {
	return !slices.Contains([]string{"help", "version", "example"}, f.Name)
}

// isPath reports whether the value of a flag is a file or a directory.
func isPath(v *kong.Value) (file, dir bool) {
	placeholder := placeholder(v)
	return placeholder == "FILE", placeholder == "DIR"
}

func placeholder(v *kong.Value) string {
	if v.Flag != nil && v.Flag.PlaceHolder != "" {
		return v.Flag.PlaceHolder
	}
	if v.Tag != nil {
		return v.Tag.PlaceHolder
	}
	return ""
}

// choices returns the values that a flag or an argument accepts, or nothing if there are more than a few.
func choices(v *kong.Value) []string {
	var out []string
	for word := range strings.SplitSeq(v.Enum, ",") {
		if word = strings.TrimSpace(word); word != "" {
			out = append(out, word)
		}
	}
	return out
}
