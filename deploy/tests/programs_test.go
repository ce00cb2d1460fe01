package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// programsDir is where buildPrograms builds, "" before.
var programsDir string

// buildPrograms builds the three programs and returns their directory.
var buildPrograms = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "sluice-deploy-")
	if err != nil {
		return "", err
	}
	programsDir = dir
	build := exec.Command("go", "build", "-o", dir+"/", "./cmd/gateway", "./cmd/consumer", "./cmd/sluice")
	build.Dir = root
	build.Stderr = os.Stderr
	return dir, build.Run()
})

func TestMain(m *testing.M) {
	code := m.Run()
	if programsDir != "" {
		_ = os.RemoveAll(programsDir)
	}
	os.Exit(code)
}

// program runs one of the programs, by its path in the image, and returns what it printed.
func program(t *testing.T, env []string, path string, args ...string) (string, error) {
	t.Helper()
	dir, err := buildPrograms()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, filepath.Base(path)), args...)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// A flag stands at the beginning of its line, perhaps after its short form; help texts name others further right.
var helpFlag = regexp.MustCompile(`(?m)^ {1,8}(?:-[a-z], )?--(?:\[no-\])?([a-z][a-z0-9-]*)`)

// flagsOf returns the flags that a program's command has, as its --help lists them.
func flagsOf(t *testing.T, command []string) []string {
	t.Helper()
	out, err := program(t, nil, command[0], append(slices.Clone(command[1:]), "--help")...)
	require.NoError(t, err, out)
	var flags []string
	for _, m := range helpFlag.FindAllStringSubmatch(out, -1) {
		flags = append(flags, m[1])
	}
	require.Contains(t, flags, "config", out)
	return flags
}

// Every setting that the chart hands to a program is one that this program's command has.
func TestChartsSettingsExist(t *testing.T) {
	t.Parallel()
	eachSet(t, func(t *testing.T, r *release) {
		for _, p := range r.workloads() {
			for _, c := range p.spec.Containers {
				u := unitOf(t, c)
				flags := flagsOf(t, u.command)
				for name := range u.settings {
					assert.Contains(t, flags, name, "%s: %s has no such setting", p.owner, strings.Join(u.command, " "))
				}
			}
		}
	})
}

// The programs find no fault in the settings that the chart hands them, with the files that it mounts.
func TestProgramsAcceptTheChartsSettings(t *testing.T) {
	t.Parallel()
	eachSet(t, func(t *testing.T, r *release) {
		n := 0
		for _, p := range r.workloads() {
			c := p.spec.Containers[0]
			var args []string
			switch p.component() {
			case "gateway", "consumer":
				args = []string{"check"}
			case "migrate": // prints the statements, since there is no server
				args = []string{"migrate", "--dry-run"}
				args = append(args, c.Args...)
			default:
				continue
			}
			n++
			env := mounted(t, r, p)
			out, err := program(t, env, c.Command[0], args...)
			require.NoError(t, err, "%s: %s", p.owner, out)
			if args[0] == "check" {
				assert.Contains(t, out, "no faults in the settings", p.owner)
			} else {
				assert.Contains(t, out, "CREATE TABLE", p.owner)
			}
		}
		assert.GreaterOrEqual(t, n, 2)
	})
}

// A fault in the values that only the program can see is one that it does see.
func TestProgramsRefuseWrongSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ values, component, says string }{
		"misspelt setting":  {`gateway: {settings: {max-conections: 1}}`, "gateway", "SLUICE_MAX_CONNECTIONS"},
		"value":             {`gateway: {settings: {partition-by: key}}`, "gateway", "partition-by"},
		"setting's bound":   {`consumer: {settings: {batch-rows: 0}}`, "consumer", "batch-rows"},
		"broken projects":   {`projects: {inline: "projects: [{id: A}]"}`, "gateway", "projects"},
		"same topic twice":  {`kafka: {deadTopic: events}`, "gateway", "kafka-dead-topic"},
		"key without quote": {`projects: {inline: "projects: [{id: 0755, keys: []}]"}`, "gateway", "quotes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := render("sluice", minimalWith(t, c.values))
			require.NoError(t, err)
			for _, p := range r.workloads() {
				if p.component() == c.component {
					out, err := program(t, mounted(t, r, p), p.spec.Containers[0].Command[0], "check")
					require.Error(t, err, out)
					assert.Contains(t, out, c.says)
				}
			}
		})
	}
}
