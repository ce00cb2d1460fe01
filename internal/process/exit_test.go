//go:build unix

package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/settings"
)

// role is a variable of the environment. It turns the test program into a program that Main runs.
const role = "PROCESS_TEST_ROLE"

func TestMain(m *testing.M) {
	roles := map[string]func(context.Context) error{
		"good":     func(context.Context) error { return nil },
		"help":     func(context.Context) error { return settings.ErrHelp },
		"broken":   func(context.Context) error { return errors.New("it broke") },
		"coded":    func(context.Context) error { return fmt.Errorf("around: %w", ExitWith(2, errors.New("it broke"))) },
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
		"hangup": func(ctx context.Context) error {
			signalSelf(syscall.SIGHUP)
			<-ctx.Done()
			signalSelf(syscall.SIGHUP) // systemd and shells send it a second time
			fmt.Println("drained")
			return nil
		},
		"noisy": func(ctx context.Context) error { // writes more than a pipe holds
			return Serve(ctx, "program", Log{Level: "info"}, os.Stderr, func(ctx context.Context, s Service) error {
				for i := range 2000 {
					s.Log.Info(fmt.Sprint("line ", i), "filling", strings.Repeat("x", 100)) //nolint:sloglint // the test needs many different messages
				}
				signalSelf(syscall.SIGTERM)
				<-ctx.Done()
				return nil
			})
		},
		"survives": func(ctx context.Context) error {
			signalSelf(syscall.SIGHUP)
			select {
			case <-ctx.Done():
				return errors.New("it drains, although it was started by nohup")
			case <-time.After(100 * time.Millisecond): // an ignored signal leaves no trace to wait for
				fmt.Println("still here")
				return nil
			}
		},
		"complains": func(context.Context) error { return errors.New(strings.Repeat("it broke ", 20_000)) },
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
		"coded":       {2, "", "program: error: around: it broke\n"},
		"reported":    {1, "", ""},
		"drains":      {0, "drained\n", ""},
		"interrupted": {0, "", ""},
		"hangup":      {0, "drained\n", ""},
		"hangs":       {2, "", "program: second signal, exiting without a drain\n"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
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

// TestExitWithoutAReader runs programs whose standard error has a reader that is stuck or gone.
func TestExitWithoutAReader(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]int{"noisy": 0, "complains": 1} {
		for _, gone := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, reader gone: %v", name, gone), func(t *testing.T) {
				t.Parallel() // a program waits a second for the reader of its last lines
				reader, writer, err := os.Pipe()
				require.NoError(t, err)
				defer reader.Close()
				cmd := exec.CommandContext(t.Context(), os.Args[0])
				cmd.Env = append(os.Environ(), role+"="+name, "GORACE=atexit_sleep_ms=0")
				cmd.Stderr = writer
				require.NoError(t, cmd.Start())
				require.NoError(t, writer.Close())
				if gone {
					require.NoError(t, reader.Close())
				}
				_ = cmd.Wait()
				if name == "complains" && gone {
					return // it drains nothing, and SIGPIPE may end it
				}
				require.Equal(t, code, cmd.ProcessState.ExitCode(), "%v", cmd.ProcessState)
			})
		}
	}
}

// TestNohup runs a program that outlives its terminal.
func TestNohup(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "nohup", os.Args[0])
	cmd.Env = append(os.Environ(), role+"=survives", "GORACE=atexit_sleep_ms=0")
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, "still here\n", string(out))
}
