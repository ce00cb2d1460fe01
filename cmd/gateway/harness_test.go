package main

import (
	"os"
	"testing"

	"sluice/internal/testcommand"
)

var underTest = testcommand.Program{
	Name: "gateway", Description: description, Settings: &cli{}, Vars: vars, Run: run,
	EnumLine: "gateway --log-format",
}

// try runs the program and returns its output.
func try(t *testing.T, args []string, env ...string) (stdout string, err error) {
	t.Helper()
	return underTest.Try(t, args, env...)
}

func TestMain(m *testing.M) {
	testcommand.AsProgram(main)
	os.Exit(m.Run())
}

func TestBasics(t *testing.T) { underTest.Basics(t) }

func TestCompletion(t *testing.T) { underTest.Completion(t) }
