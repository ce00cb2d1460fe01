package ratelimit

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/ratelimit/redistest"
)

// TestStoreAddress: an error says what is wrong with the URL and repeats none of it.
func TestStoreAddress(t *testing.T) {
	t.Parallel()
	for text, wrong := range map[string]string{
		"redis://h:6379":                  "",
		"redis://h:6379/":                 "",
		"redis://h:6379/3":                "",
		"rediss://user:hunter2@h:6380/0":  "",
		"redis://:hunter2@h:1":            "",
		"redis://[::1]:65535":             "",
		"":                                "scheme",
		"h:6379":                          "scheme",
		"http://h:6379":                   "scheme",
		"redis://":                        "host",
		"redis://:6379":                   "host",
		"redis://h":                       "port",
		"redis://h:0":                     "port",
		"redis://h:65536":                 "port",
		"redis://h:hunter2":               "URL",
		"redis://user@h:6379":             "no password",
		"redis://h:6379/hunter2":          "database",
		"redis://h:6379/-1":               "database",
		"redis://h:6379/1/2":              "database",
		"redis://h:6379?password=hunter2": "nothing may follow",
		"redis://user:hunter2%zz@h:6379":  "URL",
	} {
		_, err := Config{URL: text}.options()
		if wrong == "" {
			assert.NoError(t, err, text)
			continue
		}
		require.Error(t, err, text)
		assert.ErrorContains(t, err, wrong, text)
		assert.ErrorContains(t, err, "--limit-store:", text)
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

func TestStoreSettings(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "store")
	require.NoError(t, os.WriteFile(file, []byte("  hunter2\n"), 0o600))
	for want, c := range map[string]Config{
		"give one of the two":                  {URL: "redis://h:1", URLFile: file},
		"no --limit-store":                     {TLSCAFile: file},
		"use rediss://":                        {URL: "redis://h:1", TLSCAFile: file},
		"holds no PEM certificate":             {URL: "rediss://h:1", TLSCAFile: file},
		"--limit-store-file: the scheme":       {URLFile: file},
		"--limit-store-file: open /nowhere/in": {URLFile: "/nowhere/in"},
	} {
		err := c.Check()
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "hunter2")
	}
	assert.NoError(t, Config{}.Check(), "no store")
	assert.NoError(t, Config{URL: "redis://h:1"}.Check())
}

// TestStoreLogin: each connect reads the file again, so a password can be replaced. A wrong password is counted and
// logged; the log does not repeat it.
func TestStoreLogin(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	r.Memory.RequireAuth("right-one")
	file := filepath.Join(t.TempDir(), "store")
	write := func(password string) {
		t.Helper()
		require.NoError(t, os.WriteFile(file, []byte("redis://:"+password+"@"+r.Addr()+"/2\n"), 0o600))
	}
	write("hunter2")
	a := idle(t, r.URL(), 10, time.Minute, nil)
	var lines bytes.Buffer
	a.store.cfg.URL, a.store.cfg.URLFile = "", file
	a.store.log = slog.New(slog.NewTextHandler(&lines, nil))
	a.run(t)
	await(t, a.isAway)
	assert.NotZero(t, testutil.ToFloat64(a.store.metrics.Errors.WithLabelValues("auth")))
	assert.Equal(t, 10, a.Take(11, time.Now()), "events that pass without the store")
	write("right-one")
	await(t, a.store.connected.Load)
	a.stop()
	assert.NotContains(t, lines.String(), "hunter2")
	assert.NotContains(t, lines.String(), "right-one")
	assert.Contains(t, lines.String(), "limit store is back")
}

// TestStoreTLS: rediss checks the certificate against the given authorities.
func TestStoreTLS(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)
	r, err := miniredis.RunTLS(&tls.Config{Certificates: []tls.Certificate{pair}})
	require.NoError(t, err)
	defer r.Close()
	for ca, trusted := range map[string]bool{cert: true, "": false} {
		options, err := Config{URL: "rediss://" + r.Addr(), TLSCAFile: ca}.options()
		require.NoError(t, err)
		conn, err := connectStore(t.Context(), options, "test", takeText, func() string { return "" })
		if !trusted {
			assert.Error(t, err, "the system's authorities")
			continue
		}
		require.NoError(t, err, "the certificate's own authority")
		n, _, err := conn.heartbeat(t.Context(), "stay")
		require.NoError(t, err)
		assert.Equal(t, 1, n, "gateways")
		assert.NoError(t, conn.close())
	}
}

// certificate writes a self-signed certificate for 127.0.0.1.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "limit store"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private},
	} {
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	}
	return certFile, keyFile
}
