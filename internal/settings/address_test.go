package settings_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/settings"
)

func TestAddresses(t *testing.T) {
	for _, address := range []string{
		"kafka:9092", "kafka-1.example:1", "kafka.:9092", "a_b:65535", "127.0.0.1:9092", "[::1]:9092", "[2001:db8::1]:9092", "[fe80::1%eth0]:9092", "1password:1", "xn--bcher-kva.example:9",
		strings.Repeat("a", 63) + ":1",
	} {
		require.NoError(t, settings.CheckServer(address), address)
		require.NoError(t, settings.CheckListen(address), address)
	}
	for _, address := range []string{":8080", "127.0.0.1:0", ":0", "[::]:8080"} {
		require.NoError(t, settings.CheckListen(address), address)
	}
	for address, want := range map[string]string{
		"": "empty", "kafka": "port is missing", "kafka:": "1 to 65535", "kafka:0": "1 to 65535", ":9092": "host is missing", "kafka:65536": "1 to 65535", "kafka:-1": "1 to 65535",
		"kafka:09092": "1 to 65535", "kafka:0x2384": "1 to 65535", "kafka:9_092": "1 to 65535", "kafka:+9092": "1 to 65535", "kafka:http": "1 to 65535", "kafka:9092:9092": "in brackets",
		`"kafka:9092"`: "quotes", `'kafka:9092'`: "quotes", "`kafka`:9092": "quotes", "kafka:9092\n": "line break", "kafka:9092\r\n": "line break", " kafka:9092": "white space", "kafka:9092 ": "white space",
		"kafka :9092": "white space", "kafka\u00a0:9092": "white space", "kafka:9092\t": "white space", "\ufeffkafka:9092": "white space", "kafka:9092\x00": "line break",
		"kafka://kafka:9092": "URL", "PLAINTEXT://kafka:9092": "URL", "https://u:hunter2@kafka:9092": "URL", "u:hunter2@kafka:9092": "user or a password", "::1:9092": "in brackets",
		"[kafka]:9092": "no IPv6", "[127.0.0.1]:9092": "no IPv6", "[::1]": "in brackets", "[::1:9092": "in brackets", "256.1.1.1:9092": "IPv4", "1.2.3:9092": "IPv4", "12345:9092": "IPv4",
		"kafka,b:9092": "letters", "a;b:9092": "letters", "a/b:9092": "letters", "bücher:9092": "letters", "-a:9092": "letters", "a..b:9092": "letters", "{a}:9092": "letters", "$HOST:9092": "letters",
		strings.Repeat("a", 64) + ":1": "letters", strings.Repeat("a.", 127) + "a:1": "letters", "kafka:9092/": "1 to 65535", "kafka:9092,b:9092": "in brackets",
	} {
		err := settings.CheckServer(address)
		require.ErrorContains(t, err, want, "%q", address)
		require.ErrorContains(t, err, "is not host:port")
		require.NotContains(t, err.Error(), "hunter2")
		require.NotContains(t, err.Error(), "\n")
		if address != ":9092" && address != "kafka:0" {
			require.Error(t, settings.CheckListen(address), "%q", address)
		}
	}
}

func TestCheckFile(t *testing.T) {
	dir := t.TempDir()
	file, empty := filepath.Join(dir, "file"), filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	require.NoError(t, settings.CheckFile(file))
	require.ErrorContains(t, settings.CheckFile(empty), "is empty")
	require.ErrorContains(t, settings.CheckFile(dir), "is a directory")
	require.ErrorIs(t, settings.CheckFile(filepath.Join(dir, "missing")), os.ErrNotExist)
	if os.Geteuid() != 0 { // root can read every file
		require.NoError(t, os.Chmod(file, 0))
		require.ErrorIs(t, settings.CheckFile(file), os.ErrPermission)
	}
}

func TestCheckWord(t *testing.T) {
	for _, word := range []string{"", "sluice", "a b", "it's", `say "a"`, `"`} {
		require.NoError(t, settings.CheckWord(word), word)
	}
	for _, word := range []string{"a\n", "\ta", " a", "a ", "a\x00b", `"a"`, `'a'`, "a\r\n", "a\u0085"} {
		require.Error(t, settings.CheckWord(word), "%q", word)
	}
}
