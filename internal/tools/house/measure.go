package main

import (
	"bytes"
	"go/ast"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// tab is how many columns a tab stop has.
const tab = 4

// widest is how many columns a line may have.
const widest = 120

// figure is a number and the place that it was counted at.
type figure struct {
	n     int
	where string
}

// house is what was measured of a tree.
type house struct {
	files, lines int
	fileSizes    []figure // lines
	funcSizes    []figure // lines of the body
	packages     int
	packageFiles []figure
	packageLines []figure
	cycles       []figure // files in the package's largest cycle
	structs      []figure // fields
	wide         []figure // columns of each line that is wider than widest, see wideLines
	readme       int64    // bytes
}

// measure counts. Places are named relative to root.
func measure(packages []*pkg, readme int64, root string) house {
	h := house{packages: len(packages), readme: readme}
	relative := func(path string) string { return strings.TrimPrefix(path, root+string(filepath.Separator)) }
	for _, p := range packages {
		lines := 0
		for _, f := range p.files {
			n := bytes.Count(f.text, []byte("\n"))
			lines += n
			h.fileSizes = append(h.fileSizes, figure{n, relative(f.path)})
			h.wide = append(h.wide, wideLines(f.text, relative(f.path))...)
			h.inspect(p, f, relative)
		}
		h.files += len(p.files)
		h.lines += lines
		h.packageFiles = append(h.packageFiles, figure{len(p.files), p.path})
		h.packageLines = append(h.packageLines, figure{lines, p.path})
		if cycle := largestCycle(fileUses(p)); len(cycle) > 1 {
			h.cycles = append(h.cycles, figure{len(cycle), p.path + ": " + strings.Join(cycle, " ")})
		}
	}
	for _, list := range [][]figure{
		h.fileSizes, h.funcSizes, h.packageFiles, h.packageLines, h.cycles, h.structs, h.wide,
	} {
		slices.SortFunc(list, func(a, b figure) int { return b.n - a.n })
	}
	return h
}

// inspect counts the functions and structs of a file.
func (h *house) inspect(p *pkg, f source, relative func(string) string) {
	line := func(n ast.Node) int { return p.fset.Position(n.Pos()).Line }
	at := func(n ast.Node, name string) string { return relative(f.path) + ": " + name }
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Body != nil {
				size := p.fset.Position(n.Body.End()).Line - line(n) + 1
				h.funcSizes = append(h.funcSizes, figure{size, at(n, n.Name.Name)})
			}
		case *ast.TypeSpec:
			if s, ok := n.Type.(*ast.StructType); ok {
				h.structs = append(h.structs, figure{s.Fields.NumFields(), at(n, n.Name.Name)})
			}
		}
		return true
	})
}

// wideLines leaves out the fields of settings. The manual's text of a setting is in its struct tag, which Go cannot break.
func wideLines(text []byte, path string) (wide []figure) {
	for line := range bytes.Lines(text) {
		line = bytes.TrimRight(line, "\r\n")
		if n := columns(line); n > widest && !bytes.Contains(line, []byte(` help:"`)) {
			wide = append(wide, figure{n, path})
		}
	}
	return wide
}

// columns is the width of a line.
func columns(line []byte) int {
	n := 0
	for len(line) > 0 {
		r, size := utf8.DecodeRune(line)
		line = line[size:]
		if r == '\t' {
			n += tab - n%tab
			continue
		}
		n++
	}
	return n
}
