package main

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// mostReruns is how many tests may fail and run again. If more fail, the machine is not the cause.
const mostReruns = 5

// arguments are those of go test.
type arguments struct {
	flags []string
	rest  []string // -args and what follows
}

// split separates go test's flags from its packages, which a rerun names anew.
func split(args []string) (a arguments, err error) {
	if i := slices.IndexFunc(args, func(s string) bool { return s == "-args" || s == "--args" }); i >= 0 {
		args, a.rest = args[:i], args[i:]
	}
	for i, arg := range args {
		switch {
		case strings.HasPrefix(arg, "-"):
			a.flags = append(a.flags, arg)
		case !strings.ContainsAny(arg, "./"):
			flag := args[max(0, i-1)]
			return a, fmt.Errorf("%s is no path of a package; write a flag's value after =, as in %s=%s", arg, flag, arg)
		}
	}
	return a, nil
}

// alone are the arguments that run one test.
func (a arguments) alone(f failure) []string {
	return slices.Concat(a.flags, []string{"-run=^" + regexp.QuoteMeta(f.test) + "$", "-count=1", f.pkg}, a.rest)
}

// failure is a top-level test that failed, with all that it and its subtests said.
type failure struct{ pkg, test, said string }

func (f failure) name() string { return f.pkg + " " + f.test }

// certain tells whether a line of output shows a fault for certain: neither the machine nor chance makes a data race or
// a panic.
func certain(line string) bool {
	line = strings.TrimSpace(line)
	return strings.Contains(line, "WARNING: DATA RACE") ||
		strings.Contains(line, "race detected during execution of test") ||
		strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")
}

// mayRerun tells whether the run has passed if all failed tests pass alone.
func (s *summary) mayRerun() bool {
	// A package that has not ended was cut off.
	return len(s.certain) == 0 && len(s.running) == 0 && len(s.failures) > 0 && len(s.failures) <= mostReruns
}

// rerun runs each failed test alone, and returns 0 if all of them pass.
func (g *goTool) rerun(all arguments, s *summary) (code int, err error) {
	for _, f := range s.failures {
		_, _ = fmt.Fprintf(s.out, "again, alone: %s\n", f.name())
		var said bytes.Buffer
		second := newSummary(&said)
		c, err := g.test(all.alone(f), second)
		if err != nil {
			return 1, err
		}
		passed := c == 0 && slices.Contains(second.passed, f.name()) && !second.alarm
		if !passed || g.stopped.Load() {
			_, _ = io.Copy(s.out, &said)
			code = max(c, 1)
			continue
		}
		s.unsteady = append(s.unsteady, f)
	}
	return code, nil
}

// printUnsteady lists the tests that failed and then passed alone.
func (s *summary) printUnsteady() {
	if len(s.unsteady) == 0 {
		return
	}
	_, _ = fmt.Fprintf(s.out, "\nunsteady (failed, then passed alone): %d\n", len(s.unsteady))
	for _, f := range s.unsteady {
		_, _ = fmt.Fprintf(s.out, "  %s\n", f.name())
		for line := range strings.Lines(f.said) {
			_, _ = io.WriteString(s.out, "      "+line)
		}
	}
}
