package main

import (
	"go/types"
	"path/filepath"
	"slices"
)

// fileUses maps each file of a package to the files that declare what the file uses: package-level names, methods,
// fields.
func fileUses(p *pkg) map[string]map[string]bool {
	name := map[string]string{}
	uses := map[string]map[string]bool{}
	for _, f := range p.files {
		name[f.path] = filepath.Base(f.path)
		uses[filepath.Base(f.path)] = map[string]bool{}
	}
	for id, o := range p.info.Uses {
		if o.Pkg() != p.types || !o.Pos().IsValid() || local(o, p.types) {
			continue
		}
		from := name[p.fset.Position(id.Pos()).Filename]
		to := name[p.fset.Position(o.Pos()).Filename]
		if from != to {
			uses[from][to] = true
		}
	}
	return uses
}

// local reports whether an object is declared inside a function.
func local(o types.Object, p *types.Package) bool {
	switch o := o.(type) {
	case *types.Var:
		return !o.IsField() && o.Parent() != p.Scope()
	case *types.Func:
		return false
	}
	return o.Parent() != p.Scope()
}

// largestCycle returns the largest set of files that all reach one another: the largest strongly connected component,
// found as in R. Tarjan, "Depth-first search and linear graph algorithms", 1972.
func largestCycle(uses map[string]map[string]bool) (largest []string) {
	index, low, onStack := map[string]int{}, map[string]int{}, map[string]bool{}
	var stack []string
	var visit func(string)
	visit = func(v string) {
		index[v] = len(index) + 1
		low[v] = index[v]
		stack = append(stack, v)
		onStack[v] = true
		for w := range uses[v] {
			if index[w] == 0 {
				visit(w)
				low[v] = min(low[v], low[w])
			} else if onStack[w] {
				low[v] = min(low[v], index[w])
			}
		}
		if low[v] != index[v] {
			return
		}
		at := slices.Index(stack, v)
		component := slices.Clone(stack[at:])
		stack = stack[:at]
		for _, w := range component {
			onStack[w] = false
		}
		if len(component) > len(largest) {
			largest = component
		}
	}
	for v := range uses {
		if index[v] == 0 {
			visit(v)
		}
	}
	slices.Sort(largest)
	return largest
}
