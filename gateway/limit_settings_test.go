package gateway

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
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/gateway/ratelimit/redistest"
)

// TestStoreAddress: what is wrong with an address is said, and none of the address is.
func TestStoreAddress(t *testing.T) {
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
		_, err := storeConfig{URL: text}.options()
		switch {
		case wrong == "" && err != nil:
			t.Errorf("%q: %v", text, err)
		case wrong != "" && (err == nil || !strings.Contains(err.Error(), wrong) || !strings.Contains(err.Error(), "--limit-store:")):
			t.Errorf("%q: %v, want %q", text, err, wrong)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("the error repeats the address: %v", err)
		}
	}
}

func TestStoreSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "store")
	if err := os.WriteFile(file, []byte("  hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]storeConfig{
		"give one of the two":                  {URL: "redis://h:1", URLFile: file},
		"no --limit-store":                     {TLSCAFile: file},
		"use rediss://":                        {URL: "redis://h:1", TLSCAFile: file},
		"holds no PEM certificate":             {URL: "rediss://h:1", TLSCAFile: file},
		"--limit-store-file: the scheme":       {URLFile: file},
		"--limit-store-file: open /nowhere/in": {URLFile: "/nowhere/in"},
	} {
		err := c.check()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

// TestStoreLogin: the file is read at each connect, so that a password can be replaced; a wrong one is a figure and a line in the
// log that does not say it.
func TestStoreLogin(t *testing.T) {
	r := redistest.Start(t)
	r.Memory.RequireAuth("right-one")
	file := filepath.Join(t.TempDir(), "store")
	write := func(password string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("redis://:"+password+"@"+r.Addr()+"/2\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("hunter2")
	a := idle(t, r.URL(), 10, time.Minute, nil)
	var lines bytes.Buffer
	a.store.cfg = storeConfig{URLFile: file}
	a.store.log = slog.New(slog.NewTextHandler(&lines, nil))
	a.run(t)
	await(t, a.isAway)
	if testutil.ToFloat64(a.store.metrics.Errors.WithLabelValues("auth")) == 0 {
		t.Error("no error of this kind was counted")
	}
	if got := a.take(11, time.Now()); got != 10 {
		t.Errorf("%d passed meanwhile", got)
	}
	write("right-one")
	await(t, a.store.connected.Load)
	a.stop()
	if text := lines.String(); strings.Contains(text, "hunter2") || strings.Contains(text, "right-one") || !strings.Contains(text, "limit store is back") {
		t.Errorf("the log: %s", text)
	}
}

// TestStoreTLS: rediss checks the certificate, by the authorities that are given.
func TestStoreTLS(t *testing.T) {
	cert, key := certificate(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := miniredis.RunTLS(&tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for ca, want := range map[string]bool{cert: true, "": false} {
		cfg := storeConfig{URL: "rediss://" + r.Addr(), TLSCAFile: ca}
		options, err := cfg.options()
		if err != nil {
			t.Fatal(err)
		}
		conn, err := connectStore(t.Context(), options, "test", takeText, func() string { return "" })
		if (err == nil) != want {
			t.Errorf("with the authority %q: %v", ca, err)
		}
		if err == nil {
			if n, _, err := conn.meet(t.Context(), "stay"); err != nil || n != 1 {
				t.Errorf("%d gateways, %v", n, err)
			}
			_ = conn.close()
		}
	}
}

// certificate writes one for 127.0.0.1 that signs itself.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "limit store"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}
