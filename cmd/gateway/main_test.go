package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// projectsFile writes a projects file and returns the argument that names it.
func projectsFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "projects.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return "--projects-file=" + path
}

const goodProjects = "projects: [{id: demo, keys: [{name: a, sha256: \"" +
	"7e9f8fd111802be56c379d597842e29b2cebd35ff2133d431a49fa556a18704e" + "\"}]}]"

// What is wrong is said in one sentence that names the setting, before anything is started.
func TestWrongSettings(t *testing.T) {
	for name, tc := range map[string]struct {
		args, env []string
		want      []string
	}{
		"unknown flag":            {args: []string{"--http-adr=:1"}, want: []string{"--http-adr", "--http-addr"}},
		"unknown variable":        {env: []string{"SLUICE_HTTP_ADR=:1"}, want: []string{"SLUICE_HTTP_ADR", "SLUICE_HTTP_ADDR?"}},
		"unknown command":         {args: []string{"sevre"}, want: []string{"sevre"}},
		"no projects file":        {want: []string{"--projects-file"}},
		"missing projects file":   {args: []string{"--projects-file=/nowhere/p.yaml"}, want: []string{"projects file", "/nowhere/p.yaml", "no such file"}},
		"projects not YAML":       {args: []string{projectsFile(t, "projects: [")}, want: []string{"projects file", "projects.yaml"}},
		"projects with a typo":    {args: []string{projectsFile(t, "projects: [{id: a, kyes: []}]")}, want: []string{"projects.yaml", "kyes"}},
		"no projects":             {args: []string{projectsFile(t, "projects: []")}, want: []string{"lists no project"}},
		"bad project id":          {args: []string{projectsFile(t, "projects: [{id: A}]")}, want: []string{`project 1 ("A")`, "[a-z0-9_-]{1,64}"}},
		"key instead of digest":   {args: []string{projectsFile(t, `projects: [{id: a, keys: [{name: k, sha256: "dev-key"}]}]`)}, want: []string{`key "k"`, "64 hex digits"}},
		"limit store":             {args: []string{"--limit-store=http://u:hunter2@h:1", projectsFile(t, goodProjects)}, want: []string{"--limit-store:", "redis://[user:password@]host:port"}},
		"timeout too short":       {args: []string{"--request-timeout=1ms", projectsFile(t, goodProjects)}, want: []string{"--request-timeout"}},
		"no time":                 {env: []string{"SLUICE_REQUEST_TIMEOUT=10"}, want: []string{"--request-timeout", "SLUICE_REQUEST_TIMEOUT"}},
		"no broker address":       {args: []string{"--kafka-brokers=kafka", projectsFile(t, goodProjects)}, want: []string{"--kafka-brokers", `"kafka" is not host:port`}},
		"certificate without TLS": {args: []string{"--kafka-tls-ca-file=f", projectsFile(t, goodProjects)}, want: []string{"--kafka-tls"}},
		"no drain":                {args: []string{"--drain-timeout=0s", projectsFile(t, goodProjects)}, want: []string{"--drain-timeout"}},
		"spool too small":         {args: []string{"--spool-dir=" + t.TempDir(), "--spool-max-bytes=67108863", projectsFile(t, goodProjects)}, want: []string{"--spool-max-bytes", "67108864"}},
		"spool too young":         {args: []string{"--spool-dir=" + t.TempDir(), "--spool-max-age=59s", projectsFile(t, goodProjects)}, want: []string{"--spool-max-age", "1m"}},
		"spool is a file":         {args: []string{"--spool-dir=main.go", "--http-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0", projectsFile(t, goodProjects)}, want: []string{"--spool-dir", "main.go"}},
		"occupied public port":    {args: []string{"--http-addr=" + occupied(t), projectsFile(t, goodProjects)}, want: []string{"--http-addr", "in use"}},
		"occupied admin port": {
			args: []string{"--http-addr=127.0.0.1:0", "--admin-addr=" + occupied(t), projectsFile(t, goodProjects)},
			want: []string{"--admin-addr", "in use"},
		},
		"nobody to ask for health": {args: []string{"health", "--admin-addr=" + nobody(t)}, want: []string{"readiness"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := try(t, tc.args, tc.env...)
			require.Error(t, err)
			for _, want := range tc.want {
				require.ErrorContains(t, err, want)
			}
			require.NotContains(t, err.Error(), "\n", "one sentence")
		})
	}
}

func TestCheckSaysEveryFault(t *testing.T) {
	_, err := try(t, []string{
		"check", "--request-timeout=1ms", "--kafka-brokers=kafka", "--kafka-topic=a b", "--drain-timeout=0s",
		"--max-event-bytes=0", "--spool-dir=main.go", "--spool-max-bytes=1", "--spool-max-age=1s", projectsFile(t, "projects: [{id: A}, {id: b, limit: {events: 0}}]"),
	})
	require.Error(t, err)
	for _, want := range []string{
		"--request-timeout", "--kafka-brokers", "--kafka-topic", "--drain-timeout", "--max-event-bytes", "--spool-dir", "--spool-max-bytes", "--spool-max-age",
		`project 1 ("A")`, `project 2 ("b")`,
	} {
		require.ErrorContains(t, err, want)
	}
	require.GreaterOrEqual(t, strings.Count(err.Error(), "\n"), 9, "a line a fault")
}

func TestCheckOfGoodSettings(t *testing.T) {
	dir := t.TempDir()
	// Nobody listens there: check does not connect to it. Nor does Kafka run, which is a note and no fault.
	out, err := try(t, []string{"check", "--kafka-brokers=" + nobody(t), "--limit-store=redis://u:p@" + nobody(t) + "/1", "--spool-dir=" + dir, "--spool-max-bytes=67108864", "--spool-max-age=1m", projectsFile(t, goodProjects)})
	require.NoError(t, err)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	_, err = try(t, []string{"check", "--spool-dir=" + filepath.Join(dir, "made", "later"), projectsFile(t, goodProjects)})
	require.NoError(t, err)
	require.Regexp(t, `^settings and projects are good\nnote: topic events was not checked: .*connection refused\n$`, out)
}

// The example that operators begin with has no fault.
func TestCheckOfTheExample(t *testing.T) {
	_, err := try(t, []string{"check", "--projects-file=../../deploy/projects.yaml"})
	require.NoError(t, err)
}
