package web

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func get(t *testing.T, where string) *httptest.ResponseRecorder {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", Page)
	mux.HandleFunc("GET /console/assets/{version}/{name}", Asset)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, where, nil))
	return w
}

// The page and its modules name files that exist, each under the version, and a browser may keep them.
func TestEveryFileIsThere(t *testing.T) {
	page := get(t, "/").Body.String()
	named := regexp.MustCompile(`(?:src|href)="(/[^"]+)"`).FindAllStringSubmatch(page, -1)
	require.GreaterOrEqual(t, len(named), 7)
	base := "/console/assets/" + version + "/"
	var wanted []string
	for _, m := range named {
		require.True(t, strings.HasPrefix(m[1], base), m[1])
		wanted = append(wanted, m[1])
	}
	for name, text := range assets {
		if path.Ext(name) != ".js" {
			continue
		}
		for _, m := range regexp.MustCompile(`(?m)^import .* from '\./([a-z]+\.js)';$`).FindAllStringSubmatch(string(text), -1) {
			wanted = append(wanted, base+m[1])
		}
	}
	for _, where := range wanted {
		w := get(t, where)
		require.Equal(t, http.StatusOK, w.Code, where)
		require.Equal(t, kinds[path.Ext(where)], w.Header().Get("Content-Type"), where)
		require.Contains(t, w.Header().Get("Cache-Control"), "immutable")
	}
	require.Equal(t, "no-cache", get(t, "/console/assets/old/main.js").Header().Get("Cache-Control"))
	require.Equal(t, http.StatusNotFound, get(t, base+"index.html").Code)
	require.Equal(t, http.StatusNotFound, get(t, base+"none.js").Code)
}

// The page asks nobody else, and makes no HTML from texts.
func TestOwnFiles(t *testing.T) {
	for name, text := range assets {
		if strings.HasPrefix(name, "uPlot") {
			continue
		}
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "https://", "@import", "url("} {
			require.NotContains(t, string(text), bad, name)
		}
		if name != "icon.svg" && name != "dom.js" { // which name the namespace of SVG
			require.NotContains(t, string(text), "http://", name)
		}
	}
	page, err := files.ReadFile("index.html")
	require.NoError(t, err)
	for _, bad := range []string{"//", "<style", "style=", "onclick", "<script>"} {
		require.NotContains(t, string(page), bad)
	}
}

// The library is the one that NOTICE names, and its licence is beside it.
func TestVendoredFiles(t *testing.T) {
	notice, err := os.ReadFile("vendor/uplot/NOTICE")
	require.NoError(t, err)
	digests := regexp.MustCompile(`(?m)^([0-9a-f]{64})  (\S+)$`).FindAllStringSubmatch(string(notice), -1)
	seen := map[string]bool{"NOTICE": true}
	for _, m := range digests {
		text, err := os.ReadFile("vendor/uplot/" + m[2])
		require.NoError(t, err)
		sum := sha256.Sum256(text)
		require.Equal(t, m[1], hex.EncodeToString(sum[:]), m[2])
		seen[m[2]] = true
	}
	there, err := fs.ReadDir(os.DirFS("vendor/uplot"), ".")
	require.NoError(t, err)
	for _, f := range there {
		require.True(t, seen[f.Name()], "%s is not in NOTICE", f.Name())
	}
	require.True(t, seen["LICENSE"])
}
