package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tests is a test file of a package. In it, first(t) is true the first time that the test asks.
func tests(pkg, text string) string {
	return "package " + pkg + `

import (
	"os"
	"strings"
	"testing"
	"time"
)

var _ = time.Now

func first(t *testing.T) bool {
	f, err := os.OpenFile(os.Getenv("SEEN")+"/"+strings.ReplaceAll(t.Name(), "/", " "), os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		f.Close()
	}
	return err == nil
}
` + text
}

// seen makes the folder in which first remembers who asked, and the module.
func seen(t *testing.T, files map[string]string) {
	t.Helper()
	t.Setenv("SEEN", t.TempDir())
	module(t, files)
}

const steady = "func TestSteady(t *testing.T) { t.Log(\"steady\") }\n"

// flaky is a test that fails once.
func flaky(name string) string {
	return "func " + name + "(t *testing.T) { t.Run(\"sub\", func(t *testing.T) { t.Log(\"quiet\") }); if first(t) { t.Error(\"a gap of\\n3.19 s\") } }\n"
}

// A test that fails beside others and passes alone has passed. The summary names it, with what it said when it failed.
func TestUnsteadyTestsRunAgain(t *testing.T) {
	seen(t, map[string]string{
		"a/a_test.go": tests("a", flaky("TestFlaky")+flaky("TestFlakyToo")+steady+
			`func TestFlakyTooMuch(t *testing.T) { if !first(t) { t.Error("it ran again") } }`),
		"b/b_test.go": tests("b", `func TestSub(t *testing.T) { t.Run("one", func(t *testing.T) { if first(t) { t.Error("a subtest") } }) }`),
	})
	code, out, errs := testsum(t, "-vet=off")
	require.Zero(t, code, "%s%s", out, errs)
	_, list, found := strings.Cut(out, "\nunsteady (failed, then passed alone): 3\n")
	require.True(t, found, out)
	for _, want := range []string{
		"  example/a TestFlaky\n", "  example/a TestFlakyToo\n", "  example/b TestSub\n", "a_test.go:", "a gap of\n", "3.19 s\n", "a subtest\n",
	} {
		assert.Contains(t, list, want)
	}
	assert.NotContains(t, list, "quiet")
	assert.NotContains(t, out, "\nfailed:\n")
	assert.Regexp(t, `total: [0-9]+s\n$`, out)
}

// A test that fails alone as well has failed, and the run with it, although another test was only unsteady.
func TestSteadyFailuresStayFailures(t *testing.T) {
	seen(t, map[string]string{
		"a/a_test.go": tests("a", flaky("TestFlaky")+`func TestBroken(t *testing.T) { t.Error("always") }`),
	})
	code, out, _ := testsum(t, "-vet=off")
	require.Equal(t, 1, code)
	assert.Contains(t, out, "\nfailed:\n  example/a TestBroken\n\n", "without the other")
	assert.Contains(t, out, "again, alone: example/a TestBroken\n")
	assert.Contains(t, out, "unsteady (failed, then passed alone): 1\n  example/a TestFlaky\n")
	assert.True(t, strings.HasSuffix(out, "\nFAIL\n"))
}

// Five failed tests run again, six do not.
func TestManyFailuresDoNotRunAgain(t *testing.T) {
	for n, want := range map[int]int{mostReruns: 0, mostReruns + 1: 1} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			var text strings.Builder
			for i := range n {
				text.WriteString(flaky(fmt.Sprint("TestFlaky", i)))
			}
			seen(t, map[string]string{"a/a_test.go": tests("a", text.String())})
			code, out, _ := testsum(t, "-vet=off")
			require.Equal(t, want, code)
			assert.Equal(t, n*(1-want), strings.Count(out, "again, alone: "), out)
		})
	}
}

// What is a fault for certain fails the run: nothing runs again, not even another test that is only unsteady.
func TestCertainFaultsDoNotRunAgain(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"build":     {`var _ = nothing`, "undefined: nothing"},
		"panic":     {`func TestPanics(t *testing.T) { if first(t) { panic("once") } }`, "panic: once"},
		"fatal":     {`func TestThrows(t *testing.T) { if first(t) { m := map[int]int{}; go func() { for { m[1]++ } }(); for { m[2]++ } } }`, "fatal error: concurrent map"},
		"exit":      {`func TestExits(t *testing.T) { if first(t) { os.Exit(3) } }`, "TestExits"},
		"timeout":   {`func TestHangs(t *testing.T) { if first(t) { time.Sleep(time.Minute) } }`, "panic: test timed out after 3s"},
		"test main": {`func TestMain(m *testing.M) { if m.Run() == 0 { println("left over"); os.Exit(1) } }`, "left over"},
		"race": {`func TestRaces(t *testing.T) { if first(t) { n := 0; done := make(chan int); go func() { n++; close(done) }(); n++; <-done } }`,
			"WARNING: DATA RACE"},
		"race in a program": {`func TestRuns(t *testing.T) { if first(t) { t.Error("the program said\nWARNING: DATA RACE\nWrite at 0x1") } }`,
			"WARNING: DATA RACE"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"a/a_test.go": tests("a", flaky("TestFlaky")+c.text)}
			args := []string{"-vet=off", "-timeout=3s"}
			switch name {
			case "race":
				args = append(args, "-race")
			case "build", "test main":
				files = map[string]string{"a/a_test.go": tests("a", flaky("TestFlaky")), "b/b_test.go": tests("b", c.text)}
			}
			seen(t, files)
			code, out, _ := testsum(t, args...)
			require.Equal(t, 1, code, out)
			assert.Contains(t, out, c.want)
			assert.Contains(t, out, "  example/a TestFlaky\n")
			assert.NotContains(t, out, "again, alone: ")
			assert.NotContains(t, out, "unsteady")
		})
	}
}

// The second run may show what the first did not: a test that does not run, or a race, has not passed.
func TestSecondRunMustPass(t *testing.T) {
	for name, text := range map[string]string{
		"panic":   `func TestOnce(t *testing.T) { if first(t) { t.Error("once"); return }; panic("twice") }`,
		"skipped": `func TestOnce(t *testing.T) { if first(t) { t.Error("once"); return }; t.Skip("not now") }`,
		"race in a program": `func TestOnce(t *testing.T) { if first(t) { t.Error("once"); return }
			println("WARNING: DATA RACE") }`,
	} {
		t.Run(name, func(t *testing.T) {
			seen(t, map[string]string{"a/a_test.go": tests("a", text)})
			code, out, _ := testsum(t, "-vet=off")
			require.Equal(t, 1, code, out)
			assert.Contains(t, out, "again, alone: example/a TestOnce\n")
			assert.Contains(t, out, "\nfailed:\n  example/a TestOnce\n")
		})
	}
}

// A rerun has the flags of the run, the arguments of the test binary too.
func TestRerunHasTheFlagsOfTheRun(t *testing.T) {
	seen(t, map[string]string{"a/a_test.go": "//go:build special\n\n" + tests("a", `
func TestFlags(t *testing.T) {
	if first(t) { t.Error("once"); return }
	if last := os.Args[len(os.Args)-1]; last != "extra" { t.Error(last) }
}
func TestOther(t *testing.T) { if !first(t) { t.Error("it ran again") } }
`)})
	var out strings.Builder
	code := run([]string{"-tags=special", "-count=1", "-run=Test", "./...", "-args", "extra"}, &out, &out)
	require.Zero(t, code, out.String())
	assert.Contains(t, out.String(), "unsteady (failed, then passed alone): 1\n")
}

// The value of a flag that is an argument of its own would pass for a package.
func TestValuesFollowAnEqualsSign(t *testing.T) {
	var out strings.Builder
	require.Equal(t, 2, run([]string{"-race", "-timeout", "20m", "./..."}, &out, &out))
	require.Equal(t, "testsum: 20m is no path of a package; write a flag's value after =, as in -timeout=20m\n", out.String())
	a, err := split([]string{"-race", "-timeout=20m", "./...", filepath.Join("some", "package"), "-args", "-x", "y"})
	require.NoError(t, err)
	require.Equal(t, arguments{flags: []string{"-race", "-timeout=20m"}, rest: []string{"-args", "-x", "y"}}, a)
}
