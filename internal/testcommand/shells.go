package testcommand

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"sluice/internal/settings/manual"
)

// role is set where a test's binary runs as the program that it tests.
const role = "TESTCOMMAND_PROGRAM"

// AsProgram runs main in place of the tests where a test of this package started the binary. TestMain calls it first.
func AsProgram(main func()) {
	if os.Getenv(role) == "" {
		return
	}
	main()
	os.Exit(0)
}

// Install puts the program under its name into a directory for PATH. TestMain must call AsProgram.
func (p Program) Install(t *testing.T) (dir string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	dir = t.TempDir()
	text := "#!/bin/sh\n" + role + "=1 exec '" + self + "' \"$@\"\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, p.Name), []byte(text), 0o755))
	return dir
}

// Completion types command lines into bash, zsh and fish, which have read the script that the program prints, and reads
// what they make of them.
func (p Program) Completion(t *testing.T) {
	bin := p.Install(t)
	work := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(work, "given name.yaml"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(work, "other.yaml"), nil, 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(work, "subdir"), 0o700))
	for _, shell := range manual.Shells {
		t.Run(shell, func(t *testing.T) {
			if _, err := exec.LookPath(shell); err != nil {
				if os.Getenv("CI") == "true" {
					t.Fatalf("%s is not installed", shell)
				}
				t.Skipf("%s is not installed", shell)
			}
			t.Parallel()
			complete := p.shell(t, shell, bin, work)
			for typed, want := range map[string]string{
				p.Name + " comp":                     p.Name + " completion",
				p.Name + " completion f":             p.Name + " completion fish",
				p.Name + " help compl":               p.Name + " help completion",
				p.Name + " --vers":                   p.Name + " --version",
				p.Name + " --config oth":             p.Name + " --config other.yaml",
				p.Name + " --config=oth":             p.Name + " --config=other.yaml",
				p.Name + " --config other.yaml comp": p.Name + " --config other.yaml completion",
				p.Name + " config --ex":              p.Name + " config --example",
				p.EnumLine + "=js":                   p.EnumLine + "=json",
				p.EnumLine + " js":                   p.EnumLine + " json",
			} {
				complete(t, typed, want)
			}
		})
	}
}

// shell starts a shell that has read the program's script. complete types a line and a tab, and waits until the line
// is as wanted.
func (p Program) shell(t *testing.T, shell, bin, work string) (complete func(t *testing.T, typed, want string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	env := append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "TERM=xterm", "INPUTRC=/dev/null", "HOME="+work,
		"XDG_CONFIG_HOME="+work, "XDG_DATA_HOME="+work)
	if shell == "fish" { // has a command that prints what it would offer
		return func(t *testing.T, typed, want string) {
			t.Helper()
			cmd := exec.CommandContext(ctx, "fish", "--no-config", "-c",
				p.Name+" completion fish | source; complete -C '"+typed+"'")
			cmd.Env, cmd.Dir = env, work
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			offered := strings.TrimPrefix(want, typed[:strings.LastIndexByte(typed, ' ')+1])
			require.Regexp(t, `(?m)^`+regexp.QuoteMeta(offered)+`(\t|$)`, string(out), typed)
		}
	}
	args := []string{"--norc", "--noprofile", "-i"}
	setup := "PS1='> '; bind 'set enable-bracketed-paste off'; source <(" + p.Name + " completion bash)"
	if shell == "zsh" {
		args = []string{"-f", "-i"}
		setup = "PS1='> '; unsetopt PROMPT_SP; autoload -U compinit; compinit -u -D; source <(" + p.Name +
			" completion zsh)"
	}
	cmd := exec.CommandContext(ctx, shell, args...)
	cmd.Env, cmd.Dir = env, work
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 500})
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = terminal.Close()
	})
	screen := &screen{terminal: terminal}
	// Arithmetic keeps the echo of the command from looking like its output.
	screen.typeText(t, setup+"; echo ready-$((6*7))\n", "ready-42")
	return func(t *testing.T, typed, want string) {
		t.Helper()
		const clearLine = "\x15"
		screen.typeText(t, clearLine+typed+"\t", want)
	}
}

// screen is what a shell has shown.
type screen struct {
	terminal *os.File
	text     string
}

var control = regexp.MustCompile(`\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\x07|\r`)

// typeText types a text and waits until the shell shows another.
func (s *screen) typeText(t *testing.T, text, until string) {
	t.Helper()
	s.text = ""
	_, err := s.terminal.WriteString(text)
	require.NoError(t, err)
	buf := make([]byte, 4<<10)
	for !strings.Contains(s.text, until) {
		require.NoError(t, s.terminal.SetReadDeadline(time.Now().Add(patience)))
		n, err := s.terminal.Read(buf)
		require.NoError(t, err, "after %q the shell shows %q, without %q", text, s.text, until)
		s.text += control.ReplaceAllString(string(buf[:n]), "")
	}
}
