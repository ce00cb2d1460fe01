package tests

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// unit is one program as a way of deploying starts it.
type unit struct {
	command  []string          // the program's path and its command
	settings map[string]string // by flag, from arguments, variables and the settings file
	grace    int64             // seconds from SIGTERM to SIGKILL; 0 for what ends by itself
}

// newUnit tells a command line's program and command from its flags. Flags win over variables.
func newUnit(t *testing.T, line []string, env map[string]string) unit {
	t.Helper()
	require.NotEmpty(t, line)
	u := unit{settings: map[string]string{}}
	for name, value := range env {
		if flag, ours := strings.CutPrefix(name, "SLUICE_"); ours {
			u.settings[strings.ToLower(strings.ReplaceAll(flag, "_", "-"))] = value
		}
	}
	for i := 0; i < len(line); i++ {
		flag, isFlag := strings.CutPrefix(line[i], "--")
		name, value, has := strings.Cut(flag, "=")
		switch {
		case !isFlag:
			u.command = append(u.command, line[i])
		case has:
			u.settings[name] = value
		case i+1 < len(line) && !strings.HasPrefix(line[i+1], "--"):
			u.settings[name] = line[i+1]
			i++
		default:
			u.settings[name] = "true"
		}
	}
	return u
}

func unitOf(t *testing.T, c corev1.Container) unit {
	t.Helper()
	env := map[string]string{}
	for _, e := range c.Env {
		_, twice := env[e.Name]
		require.False(t, twice, "%s: %s is set twice", c.Name, e.Name)
		env[e.Name] = e.Value
	}
	return newUnit(t, append(append([]string{}, c.Command...), c.Args...), env)
}
