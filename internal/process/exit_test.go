//go:build unix

package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/settings"
)

// role in the environment makes the test program one that Main runs.
const role = "PROCESS_TEST_ROLE"

func TestMain(m *testing.M) {
	roles := map[string]func(context.Context) error{
		"good":     func(context.Context) error { return nil },
		"help":     func(context.Context) error { return settings.ErrHelp },
		"broken":   func(context.Context) error { return errors.New("it broke") },
		"reported": func(context.Context) error { return fmt.Errorf("as said: %w", ErrReported) },
		"drains": func(ctx context.Context) error {
			signalSelf(syscall.SIGTERM)
			<-ctx.Done()
			fmt.Println("drained")
			return nil
		},
		"interrupted": func(ctx context.Context) error {
			signalSelf(syscall.SIGINT)
			<-ctx.Done()
			return nil
		},
		"hangs": func(ctx context.Context) error {
			signalSelf(syscall.SIGTERM)
			<-ctx.Done()
			signalSelf(syscall.SIGTERM)
			select {}
		},
	}
	if run := roles[os.Getenv(role)]; run != nil {
		Main("program", run)
	}
	os.Exit(m.Run())
}

func signalSelf(s syscall.Signal) {
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		panic(err)
	}
}

func TestExit(t *testing.T) {
	for name, want := range map[string]struct {
		code           int
		stdout, stderr string
	}{
		"good":        {0, "", ""},
		"help":        {0, "", ""},
		"broken":      {1, "", "program: error: it broke\n"},
		"reported":    {1, "", ""},
		"drains":      {0, "drained\n", ""},
		"interrupted": {0, "", ""},
		"hangs":       {2, "", "program: second signal, exiting without a drain\n"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this program
			cmd.Env = append(os.Environ(), role+"="+name, "GORACE=atexit_sleep_ms=0")
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			err := cmd.Run()
			if want.code == 0 {
				require.NoError(t, err)
			}
			require.Equal(t, want.code, cmd.ProcessState.ExitCode())
			require.Equal(t, want.stdout, stdout.String())
			require.Equal(t, want.stderr, stderr.String())
		})
	}
}
