package kafkaconn

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// good is a Config without a fault.
func good() Config {
	return Config{Brokers: []string{DefaultBrokers}, Topic: "events", DeadTopic: "events.dead"}
}

func TestCheck(t *testing.T) {
	require.NoError(t, good().Check())
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string // "": no fault
	}{
		"several brokers":         {func(c *Config) { c.Brokers = []string{"a:1", "[::1]:2"} }, ""},
		"no broker":               {func(c *Config) { c.Brokers = nil }, "--kafka-brokers: at least one broker is needed"},
		"no port":                 {func(c *Config) { c.Brokers = []string{"a"} }, `--kafka-brokers: "a" is not host:port`},
		"empty port":              {func(c *Config) { c.Brokers = []string{"a:"} }, `"a:" is not host:port`},
		"no host":                 {func(c *Config) { c.Brokers = []string{":1"} }, `":1" is not host:port`},
		"space after the comma":   {func(c *Config) { c.Brokers = []string{"a:1", " b:2"} }, `" b:2" is not host:port`},
		"quotes":                  {func(c *Config) { c.Brokers = []string{`"a:1"`} }, "--kafka-brokers: \"\\\"a:1\\\"\" is not host:port: it contains quotes"},
		"URL with a password":     {func(c *Config) { c.Brokers = []string{"x://u:hunter2@a:1"} }, "--kafka-brokers: (not shown) is not host:port: it is a URL"},
		"line break":              {func(c *Config) { c.Brokers = []string{"a:1\n"} }, "line break"},
		"named twice":             {func(c *Config) { c.Brokers = []string{"a:1", "b:1", "a:1"} }, "named twice"},
		"port 65536":              {func(c *Config) { c.Brokers = []string{"a:65536"} }, "1 to 65535"},
		"user with a line break":  {func(c *Config) { c.SASLMechanism, c.SASLUsername, c.SASLPassword = "PLAIN", "u\n", "p" }, "--kafka-sasl-username:"},
		"password, line break":    {func(c *Config) { c.SASLMechanism, c.SASLUsername, c.SASLPassword = "PLAIN", "u", "hunter2\n" }, "--kafka-sasl-password:"},
		"no topic":                {func(c *Config) { c.Topic = "" }, "--kafka-topic:"},
		"topic with a slash":      {func(c *Config) { c.Topic = "a/b" }, "--kafka-topic:"},
		"topic of dots":           {func(c *Config) { c.Topic = ".." }, "--kafka-topic:"},
		"longest topic":           {func(c *Config) { c.Topic = strings.Repeat("a", 249) }, ""},
		"too long a topic":        {func(c *Config) { c.Topic = strings.Repeat("a", 250) }, "--kafka-topic:"},
		"no dead-letter topic":    {func(c *Config) { c.DeadTopic = "" }, "--kafka-dead-topic:"},
		"one topic for both":      {func(c *Config) { c.DeadTopic = c.Topic }, "--kafka-dead-topic: the dead letters need another topic"},
		"TLS":                     {func(c *Config) { c.TLS = true }, ""},
		"authorities without TLS": {func(c *Config) { c.TLSCAFile = "f" }, "--kafka-tls:"},
		"certificate without TLS": {func(c *Config) { c.TLSCertFile, c.TLSKeyFile = "f", "f" }, "--kafka-tls:"},
		"certificate without key": {func(c *Config) { c.TLS, c.TLSCertFile = true, "f" }, "go together"},
		"key without certificate": {func(c *Config) { c.TLS, c.TLSKeyFile = true, "f" }, "go together"},
		"mutual TLS":              {func(c *Config) { c.TLS, c.TLSCertFile, c.TLSKeyFile = true, "f", "f" }, ""},
		"login":                   {func(c *Config) { c.SASLMechanism, c.SASLUsername, c.SASLPassword = "PLAIN", "u", "p" }, ""},
		"login, lower case":       {func(c *Config) { c.SASLMechanism, c.SASLUsername, c.SASLPassword = "scram-sha-512", "u", "p" }, ""},
		"login, file":             {func(c *Config) { c.SASLMechanism, c.SASLUsername, c.SASLPasswordFile = "SCRAM-SHA-256", "u", "f" }, ""},
		"unknown login":           {func(c *Config) { c.SASLMechanism, c.SASLUsername, c.SASLPassword = "OAUTH", "u", "p" }, `--kafka-sasl-mechanism: "OAUTH"`},
		"no user":                 {func(c *Config) { c.SASLMechanism, c.SASLPassword = "PLAIN", "p" }, "--kafka-sasl-username:"},
		"no password":             {func(c *Config) { c.SASLMechanism, c.SASLUsername = "PLAIN", "u" }, "--kafka-sasl-password"},
		"two passwords": {func(c *Config) {
			c.SASLMechanism, c.SASLUsername, c.SASLPassword, c.SASLPasswordFile = "PLAIN", "u", "p", "f"
		}, "set only one of them"},
		"user without a way to log in":     {func(c *Config) { c.SASLUsername = "u" }, "--kafka-sasl-mechanism:"},
		"password without a way to log in": {func(c *Config) { c.SASLPassword = "hunter2" }, "--kafka-sasl-mechanism:"},
		"file without a way to log in":     {func(c *Config) { c.SASLPasswordFile = "f" }, "--kafka-sasl-mechanism:"},
	} {
		t.Run(name, func(t *testing.T) {
			c := good()
			tc.change(&c)
			err := c.Check()
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestCheckSaysEveryFault(t *testing.T) {
	err := Config{Brokers: []string{"a"}, Topic: "/", DeadTopic: "/", TLSCAFile: "f", SASLUsername: "u"}.Check()
	for _, flag := range []string{"--kafka-brokers", "--kafka-topic", "--kafka-dead-topic", "--kafka-tls", "--kafka-sasl-mechanism"} {
		require.ErrorContains(t, err, flag)
	}
}
