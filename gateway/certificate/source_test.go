package certificate

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/testcert"
)

// A pair that cannot be served has an error that names the setting and repeats no byte of the key.
func TestFaults(t *testing.T) {
	authority, dir := testcert.New(t), t.TempDir()
	cert, key := authority.Pair(t, "a", time.Now().Add(time.Hour*1000))
	_, other := authority.Pair(t, "b", time.Now().Add(time.Hour*1000))
	file := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, text, 0o600))
		return path
	}
	goodCert, goodKey := file("cert", cert), file("key", key)
	for name, tc := range map[string]struct {
		files Files
		want  string
	}{
		"good":             {Files{goodCert, goodKey}, ""},
		"none":             {Files{}, ""},
		"certificate only": {Files{goodCert, ""}, "--http-tls-key-file: missing"},
		"key only":         {Files{"", goodKey}, "--http-tls-cert-file: missing"},
		"missing":          {Files{"/nowhere/c", goodKey}, "--http-tls-cert-file: open /nowhere/c"},
		"missing key":      {Files{goodCert, "/nowhere/k"}, "--http-tls-key-file: open /nowhere/k"},
		"a directory":      {Files{dir, goodKey}, "--http-tls-cert-file"},
		"empty":            {Files{file("empty", nil), goodKey}, "is empty"},
		"of another pair":  {Files{goodCert, file("other", other)}, "are no pair"},
		"swapped":          {Files{goodKey, goodCert}, "are no pair"},
		"no PEM":           {Files{file("text", []byte("hunter2")), goodKey}, "are no pair"},
		"largest":          {Files{file("largest", append(bytes.Clone(cert), bytes.Repeat([]byte("\n"), maxFile-len(cert))...)), goodKey}, ""},
		"too large":        {Files{file("larger", append(bytes.Clone(cert), bytes.Repeat([]byte("\n"), maxFile-len(cert)+1)...)), goodKey}, "larger than 1048576"},
	} {
		err := tc.files.Check()
		if err == nil {
			_, err = tc.files.CheckFiles(time.Now())
		}
		if tc.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, tc.want, name)
		require.NotContains(t, err.Error(), "hunter2")
		require.NotContains(t, err.Error(), "\n")
	}
}

// The notes begin fourteen days before the end.
func TestNotes(t *testing.T) {
	authority, dir, now := testcert.New(t), t.TempDir(), time.Now().Truncate(time.Second)
	for name, tc := range map[string]struct {
		until time.Time
		want  string
	}{
		"long":     {now.Add(soon), ""},
		"soon":     {now.Add(soon - time.Second), "the certificate expires at"},
		"expired":  {now.Add(-time.Second), "the certificate expired at"},
		"at the s": {now, "the certificate expires at"},
	} {
		cert, key := authority.Pair(t, name, tc.until)
		files := Files{filepath.Join(dir, "cert"), filepath.Join(dir, "key")}
		testcert.Replace(t, files.Cert, cert)
		testcert.Replace(t, files.Key, key)
		notes, err := files.CheckFiles(now)
		require.NoError(t, err)
		require.Contains(t, strings.Join(notes, "\n"), tc.want, name)
		require.Equal(t, tc.want == "", len(notes) == 0, name)
	}
	notes, err := (Files{filepath.Join(dir, "cert"), filepath.Join(dir, "key")}).CheckFiles(now.Add(-2000 * time.Hour))
	require.NoError(t, err)
	require.Contains(t, notes[0], "is not valid before")
}

// A changed pair comes into force. A broken one does not, and is an error only when it is there at two looks, because
// the files are replaced one after the other.
func TestReload(t *testing.T) {
	authority, dir := testcert.New(t), t.TempDir()
	certFile, keyFile := authority.Write(t, dir, "first")
	var logged bytes.Buffer
	s := New(Config{Files: Files{certFile, keyFile}, Log: slog.New(slog.NewTextHandler(&logged, nil))})
	require.NoError(t, s.Load())
	inForce := func() string { return s.inForce.Load().leaf.Subject.CommonName }
	errorsLogged := func() int { return strings.Count(logged.String(), "level=ERROR") }

	s.reload()
	require.Equal(t, 1, strings.Count(logged.String(), "certificate is in force"), "nothing changed")

	cert, key := authority.Pair(t, "second", time.Now().Add(1000*time.Hour))
	testcert.Replace(t, certFile, cert)
	s.reload()
	require.Equal(t, "first", inForce())
	require.False(t, s.Broken(), "the key may still come")
	require.Zero(t, errorsLogged())
	testcert.Replace(t, keyFile, key)
	s.reload()
	require.Equal(t, "second", inForce())

	require.NoError(t, os.Remove(keyFile))
	for range 3 {
		s.reload()
	}
	require.True(t, s.Broken())
	require.Equal(t, "second", inForce())
	require.Equal(t, 1, errorsLogged(), "once: %s", &logged)
	testcert.Replace(t, keyFile, []byte("no key"))
	for range 3 {
		s.reload()
	}
	require.Equal(t, 2, errorsLogged(), "another fault")

	testcert.Replace(t, keyFile, key)
	s.reload()
	require.False(t, s.Broken())
	require.Equal(t, "second", inForce())
	require.InDelta(t, 1000, s.ExpiresIn().Hours(), 1)
	require.WithinDuration(t, time.Now(), s.Loaded(), time.Minute)
}

// The log says once that a certificate ends soon, and once that it has ended.
func TestReminders(t *testing.T) {
	authority, dir, now := testcert.New(t), t.TempDir(), time.Now()
	certFile, keyFile := authority.Write(t, dir, "a")
	var logged bytes.Buffer
	s := New(Config{Files: Files{certFile, keyFile}, Log: slog.New(slog.NewTextHandler(&logged, nil)), Now: func() time.Time { return now }})
	require.NoError(t, s.Load())
	require.NotContains(t, logged.String(), "level=WARN")
	for _, days := range []int{17, 1, 20} {
		now = now.Add(time.Duration(days) * 24 * time.Hour)
		s.remind()
		s.remind()
	}
	require.Equal(t, 2, strings.Count(logged.String(), "level=WARN"), logged.String())
	require.Contains(t, logged.String(), "the certificate expired at")
	require.Negative(t, s.ExpiresIn())
}
