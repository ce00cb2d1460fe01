package e2e

import (
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	ossignal "os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// fullPipe returns a pipe that holds as much as it can, so that whoever writes to it waits until somebody reads.
func fullPipe(t *testing.T) (reader, writer *os.File) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = reader.Close(), writer.Close() })
	if err := writer.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = writer.Write(make([]byte, 4096))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	return reader, writer
}

// startMute starts a program that logs to a file, and kills it when the test ends.
func startMute(t *testing.T, log *os.File, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(filepath.Join(lab.bin, name), args...)
	cmd.Env = environment()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// TestLogWithoutAReader: nobody reads the programs' log, or its reader has gone. Events are taken and stored all the same,
// and both programs drain when they are told to stop.
func TestLogWithoutAReader(t *testing.T) {
	t.Parallel()
	for name, pipe := range map[string]func(*testing.T) *os.File{
		"nobody reads": func(t *testing.T) *os.File {
			t.Helper()
			_, writer := fullPipe(t)
			return writer
		},
		"reader gone": func(t *testing.T) *os.File {
			t.Helper()
			reader, writer := fullPipe(t)
			if err := reader.Close(); err != nil {
				t.Fatal(err)
			}
			return writer
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPipeline(t, 2)
			log := pipe(t)
			addr := free(t)
			p.url = "http://" + addr
			g := startMute(t, log, "gateway", append(p.kafka(), "--http-addr", addr, "--admin-addr", "127.0.0.1:0",
				"--projects-file", p.projects, "--drain-delay", "1s", "--log-level", "debug")...)
			c := startMute(t, log, "consumer", append(p.kafka(), "--clickhouse-dsn", p.dsn, "--kafka-group", p.name,
				"--admin-addr", "127.0.0.1:0", "--flush-age", "200ms", "--log-level", "debug")...)
			p.eventually("the gateway serves", func() bool { return reachable(p.url + "/healthz") })
			for range 50 {
				if a := p.post("/api/v1/events", "application/json", `{"message":"nobody hears it"}`); a.status != http.StatusAccepted {
					t.Fatalf("answer %+v", a)
				}
			}
			p.rows(50)
			terminates(t, g, syscall.SIGTERM)
			terminates(t, c, syscall.SIGTERM)
		})
	}
}

// TestHangup: a terminal that goes away ends the programs as SIGTERM does, with a drain.
func TestHangup(t *testing.T) {
	t.Parallel()
	if ossignal.Ignored(syscall.SIGHUP) { // and so it is in every child, as it should be
		t.Skip("SIGHUP is ignored here, as under nohup")
	}
	p := newPipeline(t, 2)
	g := p.startGateway("127.0.0.1:0")
	c := p.startConsumer()
	for _, program := range []*program{g, c} {
		if err := program.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		if code := program.wait(30 * time.Second); code != 0 {
			t.Errorf("%s: exit %d", program.name, code)
		}
		program.says(`msg="` + program.name + ` stopped"`)
	}
}

func reachable(url string) bool {
	resp, err := http.Get(url)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// terminates sends a signal, and expects exit 0 within the drain timeout.
func terminates(t *testing.T, cmd *exec.Cmd, s syscall.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(cmd.Path), err)
		}
	case <-time.After(40 * time.Second):
		t.Errorf("%s does not end", filepath.Base(cmd.Path))
		_ = cmd.Process.Kill()
		<-ended
	}
}
