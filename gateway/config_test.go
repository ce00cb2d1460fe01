package gateway

import (
	"strings"
	"testing"
	"time"
)

// TestSettingsBounds: what keeps the gateway from harm, at the ends of its ranges and one beyond.
func TestSettingsBounds(t *testing.T) {
	good := Config{
		HTTPAddr: ":0", RequestTimeout: time.Second, HTTPIdleTimeout: time.Second, MaxEventBytes: 1000, MaxBulkBytes: 1000, MaxHeaderBytes: minHeaderBytes,
		MaxInflightBytes: 1000, KafkaCompression: "none",
	}
	for _, c := range []struct {
		set   func(c *Config)
		fault string
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.MaxQueueWait = time.Hour }, ""},
		{func(c *Config) { c.MaxQueueWait = -1 }, "--max-queue-wait"},
		{func(c *Config) { c.MaxHeaderBytes = minHeaderBytes - 1 }, "--max-header-bytes"},
		{func(c *Config) { c.MaxHeaderBytes = minHeaderBytes + 1 }, ""},
		{func(c *Config) { c.MaxHeaderBytes = maxHeaderBytes - 1 }, ""},
		{func(c *Config) { c.MaxHeaderBytes = maxHeaderBytes }, ""},
		{func(c *Config) { c.MaxHeaderBytes = maxHeaderBytes + 1 }, "--max-header-bytes"},
		{func(c *Config) { c.MaxBodyBytes = bodiesLeast * 1000 }, ""},
		{func(c *Config) { c.MaxBodyBytes = bodiesLeast*1000 - 1 }, "--max-body-bytes"},
		{func(c *Config) { c.MaxInflightRequests = 1 }, ""},
		{func(c *Config) { c.MaxInflightRequests = -1 }, "--max-inflight-requests"},
		{func(c *Config) { c.MaxConnections = 1 }, ""},
		{func(c *Config) { c.MaxConnections = -1 }, "--max-connections"},
		{func(c *Config) { c.FailedKeysPerMinute = maxFailedKeys }, ""},
		{func(c *Config) { c.FailedKeysPerMinute = maxFailedKeys + 1 }, "--failed-keys-per-minute"},
		{func(c *Config) { c.FailedKeysPerMinute = -1 }, "--failed-keys-per-minute"},
		{func(c *Config) { c.TrustedProxies = []string{"10.0.0.0/8", "::1"} }, ""},
		{func(c *Config) { c.TrustedProxies = []string{"10.0.0.0/8", "lb"} }, "--trusted-proxies"},
		{func(c *Config) { c.LimitStore = "redis://h:1" }, ""},
		{func(c *Config) { c.LimitStore = "http://h:1" }, "--limit-store"},
		{func(c *Config) { c.LimitStoreTLSCAFile = "ca.pem" }, "--limit-store-tls-ca-file"},
	} {
		cfg := good
		c.set(&cfg)
		err := cfg.Check()
		switch {
		case c.fault == "" && err != nil:
			t.Errorf("refused: %v", err)
		case c.fault != "" && (err == nil || !strings.HasPrefix(err.Error(), c.fault) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: got %v", c.fault, err)
		}
	}
}
