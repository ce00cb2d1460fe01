package clickhouse

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A DSN that cannot be used is refused, and the error does not repeat its password.
func TestDSN(t *testing.T) {
	const secret = "hunter2"
	for dsn, ok := range map[string]bool{
		"clickhouse://u:" + secret + "@h:9000/db":                          true,
		"clickhouse://u:" + secret + "@h:9440/db?secure=true":              true,
		"clickhouse://u:" + secret + "@a:9000,b:9000/db":                   true,
		"https://u:" + secret + "@h:8443/db":                               true,
		"http://u:" + secret + "@h:8123":                                   true,
		"":                                                                 false,
		"u:" + secret + "@h:9000/db":                                       false,
		"clickhouse://u:" + secret + "@":                                   false,
		"clickhouse://u:" + secret + "@h:port/db":                          false,
		"clickhouse://u:" + secret + "%zz@h:9000/db":                       false,
		"clickhouse://u:" + secret + "@h:9000/a-b":                         false,
		"clickhouse://u:" + secret + "@h:9000/a;drop":                      false,
		"clickhouse://u:" + secret + "@h:9000/db?dial_timeout=" + secret:   false,
		"clickhouse://u:" + secret + "@h:9000/" + strings.Repeat("x", 64):  false,
		"clickhouse://u:" + secret + "@h:9000/" + strings.Repeat("x", 63):  true,
		"clickhouse://u:" + secret + "@h:9000/1db":                         false,
		"clickhouse://u:" + secret + "@h:9000/db\x00":                      false,
		"clickhouse://u:" + secret + "@h:9000/db?secure=" + secret:         false,
		"clickhouse://u:" + secret + "@h:9000/db?block_buffer_size=" + "-": false,
	} {
		_, err := Config{DSN: dsn}.Options()
		if (err == nil) != ok {
			t.Errorf("%q: error %v, want one: %v", dsn, err, !ok)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the password is in the error: %v", err)
		}
	}
}

// https means TLS and http does not: the DSN does not have to say it twice.
func TestTLS(t *testing.T) {
	for dsn, want := range map[string]bool{
		"https://h:8443/db": true, "https://h:8443/db?dial_timeout=1s": true, "https://h:8443/db?secure=true": true,
		"http://h:8123/db": false, "clickhouse://h:9440/db?secure=true": true, "clickhouse://h:9000/db": false,
	} {
		opts, err := Config{DSN: dsn}.Options()
		if err != nil || (opts.TLS != nil) != want {
			t.Errorf("%s: error %v, want TLS: %v", dsn, err, want)
		}
	}
}

// The database is sluice unless the DSN names another.
func TestDefaultDatabase(t *testing.T) {
	for dsn, want := range map[string]string{
		"clickhouse://h:9000": "sluice", "clickhouse://h:9000/": "sluice", "clickhouse://h:9000/other": "other", "http://h:8123": "sluice",
	} {
		opts, err := Config{DSN: dsn}.Options()
		if err != nil || opts.Auth.Database != want {
			t.Errorf("%s: %v, error %v; want %s", dsn, opts, err, want)
		}
	}
}

// The DSN in the file has precedence and is read at each use. An error names the flag of the file.
func TestDSNFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dsn")
	cfg := Config{DSN: DefaultDSN, DSNFile: file}
	if _, err := cfg.Options(); err == nil || !strings.HasPrefix(err.Error(), "--clickhouse-dsn-file:") {
		t.Errorf("without the file: %v", err)
	}
	for _, name := range []string{"one", "two"} {
		if err := os.WriteFile(file, []byte("  clickhouse://u:p@h:9000/"+name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		opts, err := cfg.Options()
		if err != nil || opts.Auth.Database != name || opts.Auth.Password != "p" {
			t.Errorf("got %v, error %v; want the database %s", opts, err, name)
		}
	}
	if err := os.WriteFile(file, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := cfg.Options(); err == nil || !strings.HasPrefix(err.Error(), "--clickhouse-dsn-file:") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a file that holds no DSN: %v", err)
	}
}

func TestDSNWithoutAPort(t *testing.T) {
	for dsn, want := range map[string]string{
		"clickhouse://ch":             "ch:9000",
		"clickhouse://ch?secure=true": "ch:9440",
		"clickhouse://ch:1":           "ch:1",
		"clickhouse://u:p@ch/db":      "ch:9000",
		"http://ch":                   "ch:8123",
		"https://ch/db":               "ch:8443",
		"https://ch:443/db":           "ch:443",
		"clickhouse://[::1]/db":       "[::1]:9000",
		"clickhouse://a:1,b/db":       "a:1",
	} {
		opts, err := Config{DSN: dsn}.Options()
		if err != nil || opts.Addr[0] != want {
			t.Errorf("%s: %v, %v; want %s", dsn, opts, err, want)
		}
	}
}

// The name of a cluster needs no quotes in SQL, and a quorum is a number of replicas.
func TestClusterConfig(t *testing.T) {
	for name, good := range map[string]bool{"": true, "prod": true, "a.b-c_1": true, strings.Repeat("c", 63): true, strings.Repeat("c", 64): true, strings.Repeat("c", 65): false, "{cluster}": false, "a b": false, "a'b": false, "ü": false} {
		cfg := Config{DSN: DefaultDSN, Cluster: name}
		if err := cfg.Check(); (err == nil) != good || err != nil && !strings.Contains(err.Error(), "--clickhouse-cluster") {
			t.Errorf("%q: %v", name, err)
		}
	}
	for quorum, good := range map[string]bool{"": true, "auto": true, "0": false, "1": true, "2": true, "99": true, "100": true, "101": false, "all": false} {
		cfg := Config{DSN: DefaultDSN, Quorum: quorum}
		if err := cfg.Check(); (err == nil) != good || err != nil && !strings.Contains(err.Error(), "--clickhouse-quorum") {
			t.Errorf("%q: %v", quorum, err)
		}
	}
}
