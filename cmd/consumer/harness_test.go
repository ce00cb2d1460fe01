package main

import (
	"testing"

	"sluice/internal/testcommand"
)

var underTest = testcommand.Program{Name: "consumer", Description: description, Settings: &cli{}, Vars: vars, Run: run}

// try runs the program and returns its output.
func try(t *testing.T, args []string, env ...string) (stdout string, err error) {
	t.Helper()
	return underTest.Try(t, args, env...)
}

func TestBasics(t *testing.T) { underTest.Basics(t) }
