package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// module makes a Go module with these files, and the working directory of the test.
func module(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module example\n\ngo 1.24\n"
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	t.Chdir(dir)
	t.Setenv("GOFLAGS", "-mod=mod")
	t.Setenv("GOWORK", "off")
}

const head = "package a\n\nimport (\n\t\"fmt\"\n\t\"testing\"\n)\n\nvar _ = fmt.Sprint\n\n"

// testsum runs the program on the module.
func testsum(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(append(args, "./..."), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// What is skipped is listed at the end, by reason, after go test's own lines.
func TestSkippedTestsAreListed(t *testing.T) {
	module(t, map[string]string{
		"a/a_test.go": head + `
func TestOne(t *testing.T) { fmt.Println("noise"); t.Skip("redis-server is not on the path; the package redis-server has it") }
func TestTwo(t *testing.T) { t.Run("sub", func(t *testing.T) { t.Skip("redis-server is not on the path; the package redis-server has it") }) }
func TestGood(t *testing.T) { t.Log("quiet") }
func TestMute(t *testing.T) { t.SkipNow() }
func FuzzSeeds(f *testing.F) { f.Add(1); f.Fuzz(func(t *testing.T, _ int) { t.Skip() }) }
`,
		"b/b.go": "package b\n",
	})
	code, out, errs := testsum(t)
	require.Zero(t, code, errs)
	require.Regexp(t, `(?m)^ok  \texample/a\t[0-9.]+s$`, out)
	require.Regexp(t, `(?m)^\?   \texample/b\t\[no test files\]$`, out)
	require.NotContains(t, out, "quiet")
	require.NotContains(t, out, "FAIL")
	_, list, _ := strings.Cut(out, "\nskipped: ")
	list, total, _ := strings.Cut(list, "\ntotal: ")
	require.Regexp(t, `^[0-9]+s\n$`, total)
	require.Equal(t, `3
  redis-server is not on the path; the package redis-server has it
      example/a TestOne
      example/a TestTwo/sub
  no reason was given
      example/a TestMute
`, list)
}

// Failures are printed whole, with go test's exit code; what passed stays quiet.
func TestFailuresArePrintedWhole(t *testing.T) {
	module(t, map[string]string{
		"a/a_test.go": head + `
func TestBad(t *testing.T) { t.Run("sub", func(t *testing.T) { fmt.Println("printed"); t.Error("first\nsecond") }) }
func TestGood(t *testing.T) { t.Log("quiet") }
`,
		"b/b_test.go": strings.Replace(head, "package a", "package b", 1) + `func TestPanics(t *testing.T) { panic("broken in two") }` + "\n",
		"c/c_test.go": strings.Replace(head, "package a", "package c", 1) + "func TestNoBuild(t *testing.T) { nothing() }\n",
		"d/d_test.go": strings.Replace(head, "package a", "package d", 1) + "func TestGood(t *testing.T) {}\n",
	})
	code, out, _ := testsum(t)
	require.Equal(t, 1, code)
	for _, want := range []string{
		"printed\n", "first\n", "second\n", "--- FAIL: TestBad/sub", "--- FAIL: TestBad", "FAIL\texample/a\t",
		"panic: broken in two", "goroutine ", "FAIL\texample/b\t", "undefined: nothing", "FAIL\texample/c [build failed]", "ok  \texample/d\t",
	} {
		require.Contains(t, out, want)
	}
	require.NotContains(t, out, "quiet")
	require.Regexp(t, `(?m)^total: [0-9]+s$`, out)
	require.Contains(t, out, "\nfailed:\n")
	require.Contains(t, out, "  example/a TestBad/sub\n")
	require.True(t, strings.HasSuffix(out, "FAIL\n"))
}

func TestExitCodeOfWrongArguments(t *testing.T) {
	module(t, map[string]string{"a/a_test.go": head})
	code, _, errs := testsum(t, "-count=x")
	require.Equal(t, 2, code)
	require.Contains(t, errs, "-count")
	t.Setenv("GO", filepath.Join(t.TempDir(), "none"))
	code, _, errs = testsum(t)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "testsum: ")
}

// The slowest tests are listed before the total, slowest first. A test takes at least as long as its longest subtest.
func TestSlowTestsAreListed(t *testing.T) {
	var out strings.Builder
	sum := newSummary(&out)
	require.NoError(t, sum.read(strings.NewReader(`
{"Action":"pass","Package":"p","Test":"TestQuick","Elapsed":4.9}
{"Action":"pass","Package":"p","Test":"TestSlow/sub","Elapsed":7}
{"Action":"pass","Package":"p","Test":"TestSlow","Elapsed":0.04}
{"Action":"fail","Package":"p","Test":"TestSlower","Elapsed":12.5}
`[1:])))
	sum.close(83 * time.Second)
	require.Contains(t, out.String(), "\nslowest:\n   12.5s p TestSlower\n      7s p TestSlow\n\ntotal: 1m23s\n")
}
