package manual

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// Lines are as wide as the terminal, but not narrower than MinWidth and not wider than MaxWidth.
func TestHelpWidth(t *testing.T) {
	for given, most := range map[int]int{0: MinWidth, 79: MinWidth, 80: 80, 81: 81, 100: 100, 101: MaxWidth, 500: MaxWidth} {
		var out bytes.Buffer
		require.NoError(t, manualOf(t).Help(&out, nil, given))
		widest := 0
		for line := range strings.Lines(out.String()) {
			widest = max(widest, utf8.RuneCountInString(strings.TrimRight(line, "\n")))
		}
		require.LessOrEqual(t, widest, most)
		require.Greater(t, widest, most-15, "the width is used")
	}
}

// Each setting is under the heading of its group, and commands come first.
func TestHelpOrder(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, manualOf(t).Help(&out, nil, 80))
	at := -1
	for _, want := range []string{
		"Usage: program [COMMAND] [flags]\n", "\nCommands:\n  serve   Serve.\n", "\nSpool:\n  --spool-dir=DIR\n",
		"\nKafka:\n  --kafka-tls\n      A switch.\n      [$KAFKA-TLS]\n",
		"\nLog:\n  --log-level=debug|info\n", "[$LOG-LEVEL, default info]", "\nGeneral:\n  -h, --help\n", "Exit codes:",
	} {
		next := strings.Index(out.String(), want)
		require.Greater(t, next, at, "%q in\n%s", want, &out)
		at = next
	}
	// A command that reads no settings does not list them.
	out.Reset()
	m := manualOf(t)
	require.NoError(t, m.Help(&out, child(m.Program.Node, "help"), 80))
	require.NotContains(t, out.String(), "--log-level")
}

func TestWrap(t *testing.T) {
	require.Equal(t, []string{"ab cd", "ef"}, wrap("ab cd  ef", 5))
	require.Equal(t, []string{"ab", "cd", "ef"}, wrap("ab cd ef", 4))
	require.Equal(t, []string{"éé éé"}, wrap("éé éé", 5), "columns, not bytes")
	require.Equal(t, []string{"abcdef", "g"}, wrap("abcdef g", 3))
	require.Empty(t, wrap(" ", 3))
}
