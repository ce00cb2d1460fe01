package process

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
)

// The format auto is text on a terminal and JSON in a pipe, a file and a buffer. The other formats are the same
// everywhere.
func TestLogFormat(t *testing.T) {
	terminal := func(t *testing.T, format string) string {
		t.Helper()
		master, line, err := pty.Open()
		require.NoError(t, err)
		defer master.Close() //nolint:errcheck // a terminal
		Log{Level: "info", Format: format}.Logger(line).Info("a line", "key", "value")
		buf := make([]byte, 4<<10)
		n, err := master.Read(buf)
		require.NoError(t, err)
		require.NoError(t, line.Close())
		return string(buf[:n])
	}
	pipe := func(t *testing.T, format string) string {
		t.Helper()
		r, w, err := os.Pipe()
		require.NoError(t, err)
		defer r.Close() //nolint:errcheck // a pipe
		Log{Level: "info", Format: format}.Logger(w).Info("a line", "key", "value")
		require.NoError(t, w.Close())
		var text bytes.Buffer
		_, err = text.ReadFrom(r)
		require.NoError(t, err)
		return text.String()
	}
	buffer := func(_ *testing.T, format string) string {
		var text bytes.Buffer
		Log{Level: "info", Format: format}.Logger(&text).Info("a line", "key", "value")
		return text.String()
	}
	for name, tc := range map[string]struct {
		to     func(*testing.T, string) string
		format string
		json   bool
	}{
		"auto, terminal": {terminal, "auto", false},
		"auto, pipe":     {pipe, "auto", true},
		"auto, buffer":   {buffer, "auto", true},
		"json, terminal": {terminal, "json", true},
		"text, pipe":     {pipe, "text", false},
	} {
		t.Run(name, func(t *testing.T) {
			line := tc.to(t, tc.format)
			if tc.json {
				require.True(t, json.Valid([]byte(strings.TrimSpace(line))), line)
				require.Contains(t, line, `"msg":"a line"`)
				return
			}
			require.Contains(t, line, `level=INFO msg="a line" key=value`)
		})
	}
}
