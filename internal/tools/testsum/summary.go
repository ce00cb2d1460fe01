package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
)

// event is one line of go test -json; see go doc test2json.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64 // seconds, of a test or a package that has ended
}

// summary prints what go test would, and gathers what was skipped.
type summary struct {
	out     io.Writer
	running map[string]*packageRun
	skipped []skip
	failed  []failedTest
	slow    []timed

	passed   []string  // top-level tests: package and name
	failures []failure // top-level tests
	unsteady []failure // those that passed when they ran again
	certain  []string  // failed packages with a fault that a rerun does not disprove
	alarm    bool      // a line, of any package, shows a fault for certain
}

// failedTest is a test or a subtest that failed.
type failedTest struct{ pkg, test string }

// slowest is how many of the slowest tests are listed, notable how long a test takes to be among them.
const (
	slowest = 10
	notable = 5 * time.Second
)

// timed is a test and how long it took: its own time, or that of its longest subtest if that is more. go test does not
// count the time of parallel subtests as their test's.
type timed struct {
	pkg, test string
	took      time.Duration
}

// skip is a test that was skipped.
type skip struct{ pkg, test, reason string }

// packageRun is what one package's tests have said so far.
type packageRun struct {
	said []said
	done map[string]string // test → pass, fail or skip
	// longest is how long a test took, or the longest of its subtests.
	longest map[string]time.Duration
	certain bool // a line shows a fault for certain
}

// said is a piece of output; test is empty for the package's own.
type said struct{ test, text string }

func newSummary(out io.Writer) *summary { return &summary{out: out, running: map[string]*packageRun{}} }

// read takes up events until there are no more. What is not an event is printed as it is.
func (s *summary) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil || e.Action == "" {
				_, _ = s.out.Write(line)
			} else {
				s.take(e)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read what go test says: %w", err)
		}
	}
}

func (s *summary) take(e event) {
	if e.Action == "build-output" {
		_, _ = io.WriteString(s.out, e.Output)
		return
	}
	if e.Package == "" {
		return
	}
	p := s.running[e.Package]
	if p == nil {
		p = &packageRun{done: map[string]string{}, longest: map[string]time.Duration{}}
		s.running[e.Package] = p
	}
	switch e.Action {
	case "output":
		p.said = append(p.said, said{e.Test, e.Output})
		if certain(e.Output) {
			p.certain, s.alarm = true, true
		}
	case "pass", "fail", "skip":
		if e.Test == "" {
			s.end(e, p)
			delete(s.running, e.Package)
			return
		}
		s.endTest(e, p)
	}
}

// endTest notes how a test ended, and forgets what it said if it passed.
func (s *summary) endTest(e event, p *packageRun) {
	p.done[e.Test] = e.Action
	test, _, sub := strings.Cut(e.Test, "/")
	p.longest[test] = max(p.longest[test], time.Duration(e.Elapsed*float64(time.Second)))
	if took := p.longest[test]; took >= notable && !sub {
		s.slow = append(s.slow, timed{e.Package, test, took})
	}
	switch e.Action {
	case "pass":
		if !sub {
			s.passed = append(s.passed, e.Package+" "+e.Test)
		}
		p.said = slices.DeleteFunc(p.said, func(o said) bool { return o.test == e.Test })
	case "fail":
		s.failed = append(s.failed, failedTest{e.Package, e.Test})
	case "skip":
		reason := p.reason(e.Test)
		if reason == "" && strings.HasPrefix(e.Test, "Fuzz") && strings.Contains(e.Test, "/") {
			return // an input that a fuzz target has no use for
		}
		s.skipped = append(s.skipped, skip{e.Package, e.Test, reason})
	}
}

// end prints what go test prints of a package: one line, and before that what the failed tests said. Those that have
// not ended were under way when the program died.
func (s *summary) end(e event, p *packageRun) {
	if e.Action == "fail" {
		s.endFailed(e.Package, p)
	}
	for _, o := range p.said {
		switch how := p.done[o.test]; {
		case o.test == "" && (e.Action == "fail" || isVerdict(o.text)),
			o.test != "" && e.Action == "fail" && (how == "fail" || how == ""):
			_, _ = io.WriteString(s.out, o.text)
		}
	}
}

// endFailed notes the failed top-level tests of a package, or that it failed for another reason.
func (s *summary) endFailed(pkg string, p *packageRun) {
	failures, unfinished := p.failures(pkg)
	s.failures = append(s.failures, failures...)
	if p.certain || unfinished || len(failures) == 0 {
		s.certain = append(s.certain, pkg)
	}
}

// failures are the package's failed top-level tests; unfinished tells whether a test has not ended.
func (p *packageRun) failures(pkg string) (failures []failure, unfinished bool) {
	at := map[string]int{}
	for _, o := range p.said {
		test, _, _ := strings.Cut(o.test, "/")
		if test == "" {
			continue
		}
		unfinished = unfinished || p.done[o.test] == ""
		if p.done[test] != "fail" || p.done[o.test] == "skip" {
			continue
		}
		i, known := at[test]
		if !known {
			i = len(failures)
			at[test], failures = i, append(failures, failure{pkg: pkg, test: test})
		}
		if !strings.HasPrefix(o.text, "=== ") {
			failures[i].said += o.text
		}
	}
	return failures, unfinished
}

// isVerdict tells whether a line of a package's own is go test's about it.
func isVerdict(text string) bool {
	return strings.HasPrefix(text, "ok  \t") || strings.HasPrefix(text, "?   \t") || strings.HasPrefix(text, "FAIL\t")
}

// place is where in the source a test logged something.
var place = regexp.MustCompile(`^\S+\.go:\d+:\s*`)

// reason is what a test logged last before it was skipped, on one line, without the place in the source.
func (p *packageRun) reason(test string) string {
	var parts []string
	for _, o := range p.said {
		text := strings.TrimSpace(o.text)
		if o.test != test || text == "" || strings.HasPrefix(text, "=== ") || strings.HasPrefix(text, "--- ") {
			continue
		}
		if at := place.FindString(text); at != "" {
			parts, text = nil, text[len(at):]
		}
		parts = append(parts, text)
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

// close prints the packages that never ended, what failed, what was skipped, by reason, the slowest tests, and how long
// all took.
func (s *summary) close(took time.Duration) {
	for name, p := range s.running {
		s.end(event{Action: "fail", Package: name}, p)
	}
	s.printFailed()
	if len(s.skipped) > 0 {
		s.printSkipped()
	}
	if len(s.slow) > 0 {
		slices.SortStableFunc(s.slow, func(a, b timed) int { return cmp.Compare(b.took, a.took) })
		_, _ = fmt.Fprintln(s.out, "\nslowest:")
		for _, t := range s.slow[:min(slowest, len(s.slow))] {
			_, _ = fmt.Fprintf(s.out, "  %6s %s %s\n", t.took.Round(100*time.Millisecond), t.pkg, t.test)
		}
	}
	s.printUnsteady()
	_, _ = fmt.Fprintf(s.out, "\ntotal: %s\n", took.Round(time.Second))
}

// printFailed lists the tests that failed, without those that then passed alone.
func (s *summary) printFailed() {
	failed := slices.DeleteFunc(s.failed, func(f failedTest) bool {
		test, _, _ := strings.Cut(f.test, "/")
		return slices.ContainsFunc(s.unsteady, func(u failure) bool { return u.pkg == f.pkg && u.test == test })
	})
	if len(failed) == 0 {
		return
	}
	_, _ = fmt.Fprintln(s.out, "\nfailed:")
	for _, f := range failed {
		_, _ = fmt.Fprintf(s.out, "  %s %s\n", f.pkg, f.test)
	}
}

func (s *summary) printSkipped() {
	var reasons []string
	tests := map[string][]string{}
	for _, k := range s.skipped {
		if tests[k.reason] == nil {
			reasons = append(reasons, k.reason)
		}
		tests[k.reason] = append(tests[k.reason], k.pkg+" "+k.test)
	}
	_, _ = fmt.Fprintf(s.out, "\nskipped: %d\n", len(s.skipped))
	for _, reason := range reasons {
		shown := reason
		if shown == "" {
			shown = "no reason was given"
		}
		_, _ = fmt.Fprintf(s.out, "  %s\n", shown)
		for _, name := range tests[reason] {
			_, _ = fmt.Fprintf(s.out, "      %s\n", name)
		}
	}
}
