package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestListIsComplete holds docs/licences.md against the modules that the programs link.
func TestListIsComplete(t *testing.T) {
	t.Chdir("../../..")
	var want strings.Builder
	require.NoError(t, document(&want))
	require.Contains(t, want.String(), "| github.com/segmentio/kafka-go |")
	require.Contains(t, want.String(), "| uPlot (npm) |")
	got, err := os.ReadFile("docs/licences.md")
	require.NoError(t, err)
	assert.Equal(t, want.String(), string(got), "run `make licences`")
}

func TestUnknownLicenceIsAFault(t *testing.T) {
	dir := t.TempDir()
	_, err := licence(dir)
	assert.ErrorContains(t, err, "no licence file")
	file := filepath.Join(dir, "LICENSE.txt")
	require.NoError(t, os.WriteFile(file, []byte("You may look at this."), 0o600))
	_, err = licence(dir)
	assert.ErrorContains(t, err, "not known")
	require.NoError(t, os.WriteFile(file, []byte("Permission is hereby granted, free of charge,\n to any person obtaining a copy"), 0o600))
	name, err := licence(dir)
	require.NoError(t, err)
	assert.Equal(t, "MIT", name)
}
