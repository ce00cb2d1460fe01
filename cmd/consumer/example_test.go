package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The settings file that config --example prints is one that check accepts as it stands.
func TestCheckOfTheExampleSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "consumer.yaml")
	require.NoError(t, os.WriteFile(path, []byte(underTest.Example(t)), 0o600))
	out, err := try(t, []string{"check", "--config", path})
	require.NoError(t, err)
	require.Equal(t, "no faults in the settings\n", out)
}
