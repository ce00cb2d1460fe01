package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/gateway/projects"
)

const (
	testKey    = "0123456789abcdef"
	pathEvents = "/api/v1/events"
	shop       = "https://shop.example"
)

// badKeys are headers with keys that no project has.
var badKeys = []string{"", "unknown", testKey + "x", strings.Repeat("k", 4000), "\x00", "Bearer", "é"}

func hash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// projectsIn reads a projects file.
func projectsIn(t testing.TB, text string) *projects.Set {
	t.Helper()
	set, err := projects.Parse(strings.NewReader(text), "projects.yaml")
	require.NoError(t, err)
	return set
}
