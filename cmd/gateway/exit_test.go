package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The program as it is shipped: what is wrong is on standard error, and the exit code is 1.
func TestExitCode(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "gateway")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-s -w", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)

	for name, tc := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		"good":  {[]string{"check", projectsFile(t, goodProjects)}, 0, "settings and projects are good\n", ""},
		"wrong": {[]string{"check", "--http-adr=:1"}, 1, "", "gateway: error: unknown flag --http-adr"},
		"fault": {nil, 1, "", "gateway: error: --projects-file: name the file with the projects and their keys\n"},
		"help":  {[]string{"--help"}, 0, "Usage: gateway", ""},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), binary, tc.args...) //nolint:gosec // built above
			cmd.Env = []string{}
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			_ = cmd.Run()
			require.Equal(t, tc.code, cmd.ProcessState.ExitCode())
			require.Contains(t, stdout.String(), tc.stdout)
			require.Contains(t, stderr.String(), tc.stderr)
			if tc.stderr == "" {
				require.Empty(t, stderr.String())
			} else {
				require.Empty(t, stdout.String())
			}
		})
	}
}
