package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/testcommand"
)

// The settings file that config --example prints, beside a projects file, is one that check accepts as it stands.
func TestCheckOfTheExampleSettings(t *testing.T) {
	projects, err := os.ReadFile("../../deploy/projects.yaml")
	require.NoError(t, err)
	text := underTest.Example(t)
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("projects.yaml", projects, 0o600))
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	out, err := try(t, []string{"check", "--config", path}, "SLUICE_KAFKA_BROKERS="+testcommand.Nobody(t))
	require.NoError(t, err)
	require.Contains(t, out, "no faults in the settings and projects\n")
}
