package tests

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// digest is that of dev-key.
const (
	digest     = `"7e9f8fd111802be56c379d597842e29b2cebd35ff2133d431a49fa556a18704e"`
	oneProject = `projects: [{id: demo, keys: [{name: dev, sha256: ` + digest + `}]}]`
)

// secrets are the Secrets and ConfigMaps that the sets of values name, and their files.
func secrets() map[string]map[string]string {
	cert, key := certificate()
	return map[string]map[string]string{
		"sluice-clickhouse":       {"dsn": "clickhouse://sluice:secret@127.0.0.1:1/sluice"},
		"sluice-clickhouse-admin": {"dsn": "clickhouse://admin:secret@127.0.0.1:1/sluice"},
		"cloud-clickhouse":        {"url": "https://sluice:secret@127.0.0.1:1/sluice"},
		"clickhouse-ca":           {"ca.crt": cert},
		"kafka-tls":               {"ca.crt": cert, "tls.crt": cert, "tls.key": key},
		"sluice-tls":              {"tls.crt": cert, "tls.key": key},
		"sluice-traces":           {"headers": "Authorization=Bearer%20secret"},
		"kafka-login":             {"password": "secret"},
		"cloud-key":               {"secret": "secret"},
		"sluice-redis":            {"url": "rediss://:secret@redis:6379/0"},
		"redis-ca":                {"ca.crt": cert},
		"sluice-projects": {
			"projects.yaml":  oneProject,
			"projects.jsonl": `{"id":"demo","keys":[{"name":"dev","sha256":` + digest + `}]}` + "\n",
		},
		"cloud-projects": {"all.yaml": oneProject},
		"sluice-canary":  {"canary.yaml": "key: canary-key\nproject: canary\nclickhouse: clickhouse://127.0.0.1:9000/sluice\n"},
		"sluice-load":    {"load.yaml": "key: dev-key\nclickhouse: clickhouse://127.0.0.1:9000/sluice\n"},
	}
}

// mounted lays out a pod's volumes under a directory and returns its container's environment with paths into it.
// Brokers are replaced by an address where nothing listens. A path without a volume or file behind it fails the
// test.
func mounted(t *testing.T, r *release, p pods) []string {
	t.Helper()
	dir := t.TempDir()
	c := p.spec.Containers[0]
	volumes := map[string]corev1.Volume{}
	for _, v := range p.spec.Volumes {
		volumes[v.Name] = v
	}
	for _, m := range c.VolumeMounts {
		at := filepath.Join(dir, m.MountPath)
		require.NoError(t, os.MkdirAll(at, 0o755))
		v, known := volumes[m.Name]
		if !known {
			require.Equal(t, "spool", m.Name, "%s: no volume", p.owner) // a claim of its own
			continue
		}
		for file, text := range filesOf(t, r, v) {
			require.NoError(t, os.WriteFile(filepath.Join(at, file), []byte(text), 0o644))
		}
	}
	var env []string
	for _, e := range c.Env {
		switch {
		case e.Name == "SLUICE_KAFKA_BROKERS":
			e.Value = "127.0.0.1:1"
		case strings.HasPrefix(e.Value, "/"):
			path := filepath.Join(dir, e.Value)
			if e.Name == "SLUICE_SPOOL_DIR" {
				require.DirExists(t, filepath.Dir(path), p.owner)
			} else {
				_, err := os.Stat(path)
				require.NoError(t, err, "%s: %s names a file that is not mounted", p.owner, e.Name)
			}
			e.Value = path
		}
		env = append(env, e.Name+"="+e.Value)
	}
	return env
}

func filesOf(t *testing.T, r *release, v corev1.Volume) map[string]string {
	t.Helper()
	var name string
	var items []corev1.KeyToPath
	switch {
	case v.Secret != nil:
		name, items = v.Secret.SecretName, v.Secret.Items
	case v.ConfigMap != nil:
		name, items = v.ConfigMap.Name, v.ConfigMap.Items
		for _, made := range all[*corev1.ConfigMap](r) {
			if made.Name == name {
				return made.Data
			}
		}
	}
	files, known := secrets()[name]
	require.True(t, known, "volume %s: nobody made %q", v.Name, name)
	if items == nil {
		return files
	}
	chosen := map[string]string{}
	for _, i := range items {
		require.Contains(t, files, i.Key, name)
		chosen[i.Path] = files[i.Key]
	}
	return chosen
}

// certificate returns a certificate that signs itself, and its key, as PEM.
var certificate = sync.OnceValues(func() (cert, key string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, DNSNames: []string{"kafka"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		panic(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
})
