package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	verbose := flag.Bool("v", false, "list what each figure comes from")
	flag.Parse()
	ok, err := run(*verbose)
	if err != nil {
		fmt.Fprintln(os.Stderr, "house:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// run measures the tree in the working directory, prints the table, and reports whether every figure keeps its limit.
func run(verbose bool) (ok bool, err error) {
	packages, err := load("./...")
	if err != nil {
		return false, err
	}
	readme, err := os.Stat("README.md")
	if err != nil {
		return false, err
	}
	root, err := filepath.Abs(".")
	if err != nil {
		return false, err
	}
	return report(os.Stdout, measure(packages, readme.Size(), root), verbose), nil
}
