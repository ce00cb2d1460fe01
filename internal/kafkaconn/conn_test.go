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

// kafka-go secures no connection: all its fields for TLS and login, now or later, stay empty.
func TestKafkaGoSecuresNothing(t *testing.T) {
	c := good()
	c.TLS, c.SASLMechanism, c.SASLUsername, c.SASLPassword = true, "plain", "u", "p"
	require.NoError(t, c.Check())
	transport, err := c.Transport("test")
	require.NoError(t, err)
	require.Equal(t, "test", transport.ClientID)
	require.NotNil(t, transport.Dial)
	require.Nil(t, transport.TLS)
	require.Nil(t, transport.SASL)
	var found []string
	of := reflect.TypeFor[kafka.Transport]()
	for i := range of.NumField() {
		f := of.Field(i)
		if f.IsExported() && (f.Type == reflect.TypeFor[*tls.Config]() || f.Type == reflect.TypeFor[sasl.Mechanism]()) {
			found = append(found, f.Name)
		}
	}
	require.ElementsMatch(t, []string{"TLS", "SASL"}, found)
}

func TestPasswordFileIsReadAtEachConnect(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	c := good()
	c.SASLMechanism, c.SASLUsername, c.SASLPasswordFile = "PLAIN", "u", path
	_, _, err := login{c}.Start(t.Context())
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "--kafka-sasl-password-file")
	for _, password := range []string{"first", "second"} {
		require.NoError(t, os.WriteFile(path, []byte(password+"\r\n"), 0o600))
		_, first, err := login{c}.Start(t.Context())
		require.NoError(t, err)
		require.Equal(t, "\x00u\x00"+password, string(first))
	}
}

func TestScram(t *testing.T) {
	for _, name := range []string{"SCRAM-SHA-256", "scram-sha-512"} {
		c := good()
		c.SASLMechanism, c.SASLUsername, c.SASLPassword = name, "u", "p"
		_, first, err := login{c}.Start(t.Context())
		require.NoError(t, err)
		require.Contains(t, string(first), "n=u,r=", "SCRAM's first message: the name and a nonce, no password")
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
		})
	}
}
