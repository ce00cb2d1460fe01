package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"sluice/gateway/projects"
)

func sha(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

func TestKeysNew(t *testing.T) {
	line := regexp.MustCompile(`^key:   (sk[a-z2-7]{52})\nfile:  \{name: "web", sha256: "([0-9a-f]{64})"\}\n$`)
	seen := map[string]bool{}
	for range 10 {
		out, err := try(t, []string{"keys", "new", "--name=web"})
		require.NoError(t, err)
		found := line.FindStringSubmatch(out)
		require.NotNil(t, found, out)
		require.Equal(t, sha(found[1]), found[2])
		require.False(t, seen[found[1]], "twice the same key")
		seen[found[1]] = true
	}
}

// The line that keys new prints is valid in a projects file, whatever the key's name.
func TestKeysNewFitsIntoTheProjectsFile(t *testing.T) {
	for _, name := range []string{"web", `a "quoted", {odd} name: #1`} {
		out, err := try(t, []string{"keys", "new", "--name", name})
		require.NoError(t, err)
		_, entry, _ := strings.Cut(out, "file:  ")
		path := writeFile(t, "projects: [{id: demo, keys: ["+strings.TrimSpace(entry)+"]}]")
		require.NoError(t, projects.Check(path))
	}
}

func TestKeysHash(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, keysCmd{}.run("keys hash", strings.NewReader("dev-key\n\n  other \r\nlast"), &out))
	require.Equal(t, sha("dev-key")+"\n"+sha("other")+"\n"+sha("last")+"\n", out.String())
}

func TestKeysHashFaults(t *testing.T) {
	for _, empty := range []string{"", "\n", "  \n\n"} {
		require.ErrorContains(t, keysCmd{}.run("keys hash", strings.NewReader(empty), io.Discard), "no key on standard input")
	}
	broken := errors.New("broken pipe")
	require.ErrorIs(t, keysCmd{}.run("keys hash", iotest.ErrReader(broken), io.Discard), broken)
	require.ErrorIs(t, newKey("a", failing{broken}), broken)
	require.ErrorIs(t, keysCmd{}.run("keys hash", strings.NewReader("a"), failing{broken}), broken)
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
