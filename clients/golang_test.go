package clients

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// goModules downloads the modules of the Go programs once for all tests, into Go's own cache.
var goModules = sync.OnceValue(func() installed {
	ctx, cancel := context.WithTimeout(context.Background(), installTime)
	defer cancel()
	return installed{"go", command(ctx, "go", "go", "mod", "download")}
})

// goProgram builds a program and runs it.
func goProgram(name string) func(t *testing.T, url, key string) {
	return func(t *testing.T, url, key string) {
		t.Helper()
		dir := t.TempDir()
		program := filepath.Join(dir, name)
		require.NoError(t, command(t.Context(), goModules().folder(t), "go", "build", "-o", program, "./"+name))
		runs(t, dir, program, url, key)
	}
}
