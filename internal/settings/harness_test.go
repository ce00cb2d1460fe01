package settings_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"sluice/internal/settings"
)

// program has a flag of each kind, with names of Sluice's settings.
type program struct {
	settings.File
	Group   string            `name:"kafka-group" default:"${group}" help:"A text."`
	Rows    int               `name:"batch-rows" default:"1" help:"A number."`
	Rate    float64           `name:"inserts-per-second" default:"12" help:"A number with a point."`
	TLS     bool              `name:"kafka-tls" help:"A switch."`
	Flush   time.Duration     `name:"flush-age" default:"1s" help:"A time."`
	Keep    settings.Duration `name:"retention" default:"90d" help:"A time in days."`
	Brokers []string          `name:"kafka-brokers" default:"127.0.0.1:9092" help:"A list."`
	By      string            `name:"partition-by" default:"none" enum:"none,project" help:"One of few."`
	Run     struct{}          `cmd:"" default:"1" help:"The command that needs no name."`
	Migrate struct {
		DryRun bool `name:"dry-run" help:"A flag of a command."`
	} `cmd:"" help:"Another command."`
}

// parse reads settings like a program. env has the format of os.Environ.
func parse(args []string, env ...string) (program, error) {
	var p program
	_, err := settings.Parse("program", "Tries settings.", &p, source(args, env), kong.Vars{"group": "sluice"})
	return p, err
}

func source(args, env []string) settings.Source {
	return settings.Source{Args: args, Env: env, Stdout: new(bytes.Buffer), Stderr: new(bytes.Buffer)}
}

// file writes a settings file and returns the argument that names it.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settings.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return "--config=" + path
}
