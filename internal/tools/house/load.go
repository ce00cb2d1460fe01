package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// pkg is a package of the module, parsed and type-checked.
type pkg struct {
	path  string
	fset  *token.FileSet
	files []source
	types *types.Package
	info  *types.Info
}

// source is one file of a package.
type source struct {
	path string
	text []byte
	ast  *ast.File
}

// listed is what `go list` says about a package.
type listed struct {
	ImportPath string
	Dir        string
	Export     string // file with the compiled package's types
	GoFiles    []string
	DepOnly    bool
}

// load parses and type-checks the packages that match a pattern. The types of imported packages come from the build
// cache.
func load(pattern string) ([]*pkg, error) {
	list, err := goList(pattern)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for _, l := range list {
		exports[l.ImportPath] = l.Export
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no compiled package %s", path)
		}
		return os.Open(exports[path])
	})
	var packages []*pkg
	for _, l := range list {
		if l.DepOnly || len(l.GoFiles) == 0 {
			continue
		}
		p, err := check(fset, imports, l)
		if err != nil {
			return nil, err
		}
		packages = append(packages, p)
	}
	return packages, nil
}

func goList(pattern string) ([]listed, error) {
	const fields = "-json=ImportPath,Dir,Export,GoFiles,DepOnly"
	var errs bytes.Buffer
	cmd := exec.Command("go", "list", "-deps", "-export", fields, pattern)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, errs.Bytes())
	}
	var list []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := decoder.Decode(&l); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		list = append(list, l)
	}
}

func check(fset *token.FileSet, imports types.Importer, l listed) (*pkg, error) {
	p := &pkg{path: l.ImportPath, fset: fset, info: &types.Info{
		Uses: map[*ast.Ident]types.Object{},
		Defs: map[*ast.Ident]types.Object{},
	}}
	var files []*ast.File
	for _, name := range l.GoFiles {
		path := filepath.Join(l.Dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(fset, path, text, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
		p.files = append(p.files, source{path: path, text: text, ast: file})
	}
	var err error
	p.types, err = (&types.Config{Importer: imports}).Check(l.ImportPath, fset, files, p.info)
	return p, err
}
