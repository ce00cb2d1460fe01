package process

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func TestLoggerLevels(t *testing.T) {
	for level, want := range map[string]int{"debug": 4, "info": 3, "warn": 2, "error": 1} {
		var out bytes.Buffer
		log := Log{Level: level, Format: "text"}.Logger(&out)
		log.Debug("a line")
		log.Info("a line")
		log.Warn("a line")
		log.Error("a line")
		require.Equal(t, want, strings.Count(out.String(), "msg=\"a line\""), level)
	}
}

func TestLoggerFormats(t *testing.T) {
	var out bytes.Buffer
	Log{Level: "info", Format: "json"}.Logger(&out).Info("a line", "key", "value")
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	require.Equal(t, "a line", line[slog.MessageKey])
	require.Equal(t, "value", line["key"])
}

func TestCheck(t *testing.T) {
	require.NoError(t, Config{AdminAddr: ":0", DrainTimeout: time.Second}.Check())
	err := Config{DrainDelay: -1}.Check()
	require.ErrorContains(t, err, "--admin-addr")
	require.ErrorContains(t, err, "--drain-delay")
	require.ErrorContains(t, err, "--drain-timeout")
}

func TestVersion(t *testing.T) {
	defer func(was string) { version = was }(version)
	version = "v1.2.3"
	program, goVersion := Version()
	require.Equal(t, "v1.2.3", program)
	require.Equal(t, runtime.Version(), goVersion)
	version = ""
	program, _ = Version()
	require.NotEmpty(t, program)
}

func TestRegistry(t *testing.T) {
	families, err := Registry("gateway").Gather()
	require.NoError(t, err)
	found := map[string]map[string]string{}
	for _, f := range families {
		labels := map[string]string{}
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		found[f.GetName()] = labels
	}
	require.Equal(t, "gateway", found["sluice_build_info"]["program"])
	require.Equal(t, runtime.Version(), found["sluice_build_info"]["go"])
	require.Contains(t, found, "go_goroutines")
	if runtime.GOOS == "linux" {
		require.Contains(t, found, "process_resident_memory_bytes")
	}
	require.NotSame(t, prometheus.DefaultRegisterer, Registry("a"), "a registry a service, so that dev can run two")
}
