package main

import (
	"testing"

	"sluice/internal/testcommand"
)

var underTest = testcommand.Program{
	Name: "sluice", Description: description, Settings: &cli{}, Vars: vars, Run: run,
	Commands: []string{"dev", "load", "topics apply", "dead list", "dead replay --all", "plan", "keys new"},
	EnumLine: "sluice dev --log-format",
}

// try runs the program and returns its output.
func try(t *testing.T, args []string, env ...string) (stdout string, err error) {
	t.Helper()
	return underTest.Try(t, args, env...)
}

func TestBasics(t *testing.T) { underTest.Basics(t) }

func TestCompletion(t *testing.T) { underTest.Completion(t) }
