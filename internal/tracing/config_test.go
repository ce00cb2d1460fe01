package tracing

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func good() Config {
	return Config{Endpoint: "http://collector:4318", Sample: 0.01, PerSecond: 100}
}

// Every fault names its setting, and none repeats a secret.
func TestCheck(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(c *Config)
		want   string // in the error; empty: no fault
	}{
		"as it is":           {func(*Config) {}, ""},
		"off":                {func(c *Config) { c.Endpoint = "" }, ""},
		"a path":             {func(c *Config) { c.Endpoint = "https://h/otlp/v1/traces" }, ""},
		"no scheme":          {func(c *Config) { c.Endpoint = "collector:4318" }, "--trace-endpoint"},
		"another scheme":     {func(c *Config) { c.Endpoint = "grpc://collector:4317" }, "--trace-endpoint"},
		"no host":            {func(c *Config) { c.Endpoint = "http://:4318" }, "--trace-endpoint"},
		"not a URL":          {func(c *Config) { c.Endpoint = "http://a b:hunter2" }, "--trace-endpoint"},
		"a password":         {func(c *Config) { c.Endpoint = "http://u:hunter2@h" }, "--trace-headers"},
		"a query":            {func(c *Config) { c.Endpoint = "http://h/?key=hunter2" }, "--trace-endpoint"},
		"share below 0":      {func(c *Config) { c.Sample = -0.001 }, "--trace-sample"},
		"share 0":            {func(c *Config) { c.Sample = 0 }, ""},
		"share 1":            {func(c *Config) { c.Sample = 1 }, ""},
		"share above 1":      {func(c *Config) { c.Sample = 1.001 }, "--trace-sample"},
		"no number":          {func(c *Config) { c.Sample = math.NaN() }, "--trace-sample"},
		"none a second":      {func(c *Config) { c.PerSecond = 0 }, "--trace-per-second"},
		"one a second":       {func(c *Config) { c.PerSecond = 1 }, ""},
		"most a second":      {func(c *Config) { c.PerSecond = mostPerSecond }, ""},
		"more a second":      {func(c *Config) { c.PerSecond = mostPerSecond + 1 }, "--trace-per-second"},
		"headers":            {func(c *Config) { c.Headers = "A=b, X-Key=a%20b%2C" }, ""},
		"a header's name":    {func(c *Config) { c.Headers = "a b=hunter2" }, "--trace-headers"},
		"no value":           {func(c *Config) { c.Headers = "hunter2" }, "--trace-headers"},
		"half an escape":     {func(c *Config) { c.Headers = "A=hunter2%2" }, "--trace-headers"},
		"a line break":       {func(c *Config) { c.Headers = "A=hunter2%0a" }, "--trace-headers"},
		"headers and a file": {func(c *Config) { c.Headers, c.HeadersFile = "A=hunter2", "f" }, "only one"},
		"headers, and off":   {func(c *Config) { c.Endpoint, c.Headers = "", "A=hunter2" }, "--trace-endpoint"},
	} {
		c := good()
		tc.change(&c)
		err := c.Check()
		if tc.want == "" {
			assert.NoError(t, err, name)
			continue
		}
		require.Error(t, err, name)
		assert.ErrorContains(t, err, tc.want, name)
		assert.NotContains(t, err.Error(), "hunter2", name)
	}
}

// A URL without a path gets the collector's; another one stays as it is.
func TestURL(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"http://h:4318":        "http://h:4318/v1/traces",
		"http://h:4318/":       "http://h:4318/v1/traces",
		"https://h/otlp":       "https://h/otlp",
		"https://h/v1/traces/": "https://h/v1/traces/",
	} {
		got, err := Config{Endpoint: given}.url()
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

func TestCheckFiles(t *testing.T) {
	t.Parallel()
	c := good()
	require.NoError(t, c.CheckFiles())
	c.HeadersFile = filepath.Join(t.TempDir(), "headers")
	require.ErrorContains(t, c.CheckFiles(), "--trace-headers-file")
	require.NoError(t, os.WriteFile(c.HeadersFile, []byte("hunter2\n"), 0o600))
	err := c.CheckFiles()
	require.ErrorContains(t, err, "--trace-headers-file")
	assert.NotContains(t, err.Error(), "hunter2")
	require.NoError(t, os.WriteFile(c.HeadersFile, []byte("Authorization=Bearer%20x\n"), 0o600))
	require.NoError(t, c.CheckFiles())
	h, err := c.headers()
	require.NoError(t, err)
	assert.Equal(t, "Bearer x", h.Get("Authorization"))
}
