package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// shown is how many places -v lists for a figure.
const shown = 12

// row is one line of the table.
type row struct {
	name   string
	value  string
	limit  string // empty: none
	missed bool
	from   []figure
}

// report prints the table and reports whether every figure keeps its limit.
func report(w io.Writer, h house, verbose bool) (ok bool) {
	ok = true
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	rows := h.rows()
	fmt.Fprintln(table, "figure\tvalue\tlimit\t")
	for _, r := range rows {
		mark := ""
		if r.missed {
			mark, ok = "missed", false
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", r.name, r.value, r.limit, mark)
	}
	_ = table.Flush()
	for _, r := range rows {
		if len(r.from) == 0 || !verbose && !r.missed {
			continue
		}
		fmt.Fprintf(w, "\n%s:\n", r.name)
		for _, f := range r.from[:min(shown, len(r.from))] {
			fmt.Fprintf(w, "%7d  %s\n", f.n, f.where)
		}
	}
	return ok
}

func (h house) rows() []row {
	wide := 100 * float64(len(h.wide)) / float64(max(1, h.lines))
	return []row{
		{name: "files / lines", value: fmt.Sprintf("%d / %d", h.files, h.lines)},
		{name: "file median / max, lines", value: medianAndMost(h.fileSizes), from: h.fileSizes},
		{name: "function median / max, lines", value: medianAndMost(h.funcSizes), from: h.funcSizes},
		{name: "packages", value: fmt.Sprint(h.packages)},
		most("largest package, files", h.packageFiles, 25),
		most("largest package, lines", h.packageLines, 3000),
		most("largest cycle of files in one package", h.cycles, 8),
		most("largest struct, fields", h.structs, 20),
		{
			name: fmt.Sprintf("lines over %d columns", widest), value: fmt.Sprintf("%.2f %%", wide), limit: "0.2 %",
			missed: wide >= 0.2, from: h.wide,
		},
		{name: "README.md, bytes", value: fmt.Sprint(h.readme), limit: fmt.Sprint(12 << 10), missed: h.readme > 12<<10},
	}
}

// most is a row for the largest of some sorted figures.
func most(name string, figures []figure, limit int) row {
	n := 0
	if len(figures) > 0 {
		n = figures[0].n
	}
	return row{name: name, value: fmt.Sprint(n), limit: fmt.Sprint(limit), missed: n > limit, from: figures}
}

func medianAndMost(figures []figure) string {
	if len(figures) == 0 {
		return "0 / 0"
	}
	return fmt.Sprintf("%d / %d", figures[len(figures)/2].n, figures[0].n)
}
