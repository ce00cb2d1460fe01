package kafkaconn

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/stretchr/testify/require"
)

// ways makes both of kafka-go's ways in and returns what of TLS and SASL each will use.
func ways(t *testing.T, c Config) map[string]secured {
	t.Helper()
	require.NoError(t, c.Check())
	transport, err := c.Transport("test")
	require.NoError(t, err)
	dialer, err := c.Dialer("test")
	require.NoError(t, err)
	require.Equal(t, "test", transport.ClientID)
	require.Equal(t, "test", dialer.ClientID)
	return map[string]secured{
		"transport": {transport.TLS, transport.SASL},
		"dialer":    {dialer.TLS, dialer.SASLMechanism},
	}
}

type secured struct {
	tls  *tls.Config
	sasl sasl.Mechanism
}

func TestNeitherWayIsSecuredUnlessAsked(t *testing.T) {
	for way, s := range ways(t, good()) {
		require.Nil(t, s.tls, way)
		require.Nil(t, s.sasl, way)
	}
}

func TestBothWaysAreSecured(t *testing.T) {
	c := good()
	c.TLS, c.SASLMechanism, c.SASLUsername, c.SASLPassword = true, "plain", "u", "p"
	for way, s := range ways(t, c) {
		require.NotNil(t, s.tls, way)
		require.GreaterOrEqual(t, s.tls.MinVersion, uint16(tls.VersionTLS12), way)
		require.False(t, s.tls.InsecureSkipVerify, way)
		require.NotNil(t, s.sasl, way)
		require.Equal(t, "PLAIN", s.sasl.Name(), way)
	}
}

// kafka-go could grow another field for TLS or a login, which would then be set on neither way.
func TestNoOtherFieldForTLSOrLogin(t *testing.T) {
	for _, way := range []struct {
		of    reflect.Type
		known []string
	}{
		{reflect.TypeFor[kafka.Transport](), []string{"TLS", "SASL"}},
		{reflect.TypeFor[kafka.Dialer](), []string{"TLS", "SASLMechanism"}},
	} {
		var found []string
		for i := range way.of.NumField() {
			f := way.of.Field(i)
			if f.IsExported() && (f.Type == reflect.TypeFor[*tls.Config]() || f.Type == reflect.TypeFor[sasl.Mechanism]()) {
				found = append(found, f.Name)
			}
		}
		require.ElementsMatch(t, way.known, found, way.of)
	}
}

func TestPasswordFileIsReadAtEachConnect(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	c := good()
	c.SASLMechanism, c.SASLUsername, c.SASLPasswordFile = "PLAIN", "u", path
	for way, s := range ways(t, c) {
		_, _, err := s.sasl.Start(t.Context())
		require.ErrorIs(t, err, os.ErrNotExist, way)
		require.ErrorContains(t, err, "--kafka-sasl-password-file", way)

		for _, password := range []string{"first", "second"} {
			require.NoError(t, os.WriteFile(path, []byte(password+"\r\n"), 0o600))
			_, first, err := s.sasl.Start(t.Context())
			require.NoError(t, err, way)
			require.Equal(t, "\x00u\x00"+password, string(first), way)
		}
		require.NoError(t, os.Remove(path))
	}
}

func TestScram(t *testing.T) {
	for _, name := range []string{"SCRAM-SHA-256", "scram-sha-512"} {
		c := good()
		c.SASLMechanism, c.SASLUsername, c.SASLPassword = name, "u", "p"
		for way, s := range ways(t, c) {
			_, first, err := s.sasl.Start(t.Context())
			require.NoError(t, err, way)
			require.Contains(t, string(first), "n=u,r=", "SCRAM's first message: the name and a nonce, no password")
		}
	}
}

func TestCertificateFiles(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	missing := filepath.Join(dir, "missing.pem")
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no authorities":      {func(c *Config) { c.TLSCAFile = missing }, "--kafka-tls-ca-file"},
		"empty authorities":   {func(c *Config) { c.TLSCAFile = empty }, "--kafka-tls-ca-file"},
		"no certificate":      {func(c *Config) { c.TLSCertFile, c.TLSKeyFile = missing, missing }, "--kafka-tls-cert-file"},
		"empty certificate":   {func(c *Config) { c.TLSCertFile, c.TLSKeyFile = empty, empty }, "--kafka-tls-cert-file"},
		"certificate, no key": {func(c *Config) { c.TLSCertFile, c.TLSKeyFile = empty, missing }, "--kafka-tls-cert-file"},
	} {
		t.Run(name, func(t *testing.T) {
			c := good()
			c.TLS = true
			tc.change(&c)
			_, err := c.Transport("test")
			require.ErrorContains(t, err, tc.want)
			_, err = c.Dialer("test")
			require.ErrorContains(t, err, tc.want)
		})
	}
}
