package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	goTest      = regexp.MustCompile("go test [^`\n]+")
	testPackage = regexp.MustCompile(`(?:^| )(\./[a-z0-9/]+)`)
	testNames   = regexp.MustCompile(`-(run|bench) '?([A-Za-z|^$]+)'?`)
	makeTarget  = regexp.MustCompile("(?:^|[`\n])make ([a-z-]+)")
)

// A test or a benchmark that a document says how to run is in the package that the command names.
func TestCommandsNameTests(t *testing.T) {
	root, err := Root()
	require.NoError(t, err)
	n := 0
	for name, text := range texts(t) {
		for _, command := range goTest.FindAllString(text, -1) {
			var code strings.Builder
			for _, p := range testPackage.FindAllStringSubmatch(command, -1) {
				code.WriteString(testCode(t, filepath.Join(root, p[1])))
			}
			for _, names := range testNames.FindAllStringSubmatch(command, -1) {
				prefix := ""
				if names[1] == "bench" {
					prefix = "Benchmark"
				}
				for one := range strings.SplitSeq(strings.Trim(names[2], "^$"), "|") {
					if one == "" {
						continue
					}
					n++
					if !regexp.MustCompile(`func ` + prefix + `\w*` + one).MatchString(code.String()) {
						t.Errorf("%s: %s: nothing is called %s there", name, command, one)
					}
				}
			}
		}
	}
	require.Greater(t, n, 10)
}

// testCode is the text of a package's tests.
func testCode(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	require.NoError(t, err)
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		all.Write(text)
	}
	return all.String()
}

func TestMakeTargetsExist(t *testing.T) {
	root, err := Root()
	require.NoError(t, err)
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	n := 0
	for name, text := range texts(t) {
		for _, target := range makeTarget.FindAllStringSubmatch(text, -1) {
			n++
			if !strings.Contains(string(makefile), "\n"+target[1]+":") {
				t.Errorf("%s: make has no target %s", name, target[1])
			}
		}
	}
	require.Greater(t, n, 10)
}
