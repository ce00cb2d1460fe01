// Package web serves the console's page and its files, which are part of the program.
//
// The page has no framework and no build step: index.html loads main.js, which imports its neighbours. vendor has one
// library, uPlot, as its npm package contains it; vendor/uplot/NOTICE says which version and how to replace it.
package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
)

//go:embed *.html *.css *.js *.svg vendor/uplot/*.js vendor/uplot/*.css
var files embed.FS

// assets are the files by name, without their folders. version is a digest of all of them.
var assets, version = load()

var kinds = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

var page = template.Must(template.ParseFS(files, "index.html"))

func load() (map[string][]byte, string) {
	out := map[string][]byte{}
	digest := sha256.New()
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) == ".html" {
			return err
		}
		text, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		out[path.Base(name)] = text
		_, err = fmt.Fprintf(digest, "%s %d\n%s", name, len(text), text)
		return err
	})
	if err != nil {
		panic(err) // the files are in the program
	}
	return out, hex.EncodeToString(digest.Sum(nil))[:16]
}

// Page answers with the page. A browser asks for it every time, and for a file only if the page names a new version.
func Page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	_ = page.Execute(w, map[string]string{"Assets": "/console/assets/" + version})
}

// Asset answers with a file. The request's path has the version and the name of the file.
func Asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	text, ok := assets[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kinds[path.Ext(name)])
	if r.PathValue("version") == version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		w.Header().Set("Cache-Control", "no-cache") // a page from before an upgrade
	}
	_, _ = w.Write(text)
}
