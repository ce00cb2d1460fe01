package main

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/consumer"
	"sluice/consumer/audit"
	"sluice/consumer/clickhouse"
	"sluice/gateway"
	"sluice/internal/docs"
	"sluice/internal/kafkaconn"
	"sluice/internal/load/canary"
	"sluice/internal/process"
	"sluice/internal/tracing"
)

func TestDocsSettings(t *testing.T) {
	program := docs.Model(t, &cli{}, vars)
	kafka := docs.Model(t, &kafkaconn.Config{}, vars)
	services := docs.Model(t, &struct {
		Gateway  gateway.Config  `embed:""`
		Consumer consumer.Config `embed:""`
		Process  process.Config  `embed:""`
		Trace    tracing.Config  `embed:""`
	}{}, vars)
	dev := docs.Flags(docs.Command(t, program, "dev"), kafka, services)
	docs.Section(t, "settings.md", "sluice-dev", docs.SettingsTable(dev))
	for _, command := range []string{"load", "topics", "dead", "offsets", "audit", "erase", "plan", "keys"} {
		own := docs.Flags(docs.Command(t, program, command), kafka)
		docs.Section(t, "settings.md", "sluice-"+command, docs.SettingsTable(own))
	}
}

// The tables of performance.md are what the program prints.
func TestDocsPlan(t *testing.T) {
	for _, size := range []string{"200", "1400"} {
		text, err := try(t, []string{"plan", "--table", "--event-bytes", size})
		require.NoError(t, err)
		docs.Section(t, "performance.md", "plan-"+size, text)
	}
}

func TestDocsMetrics(t *testing.T) {
	var ofAudit, ofCanary docs.Recorder
	audit.NewMetrics(&ofAudit)
	docs.Section(t, "metrics.md", "sluice-audit", docs.MetricsTable(ofAudit.Metrics(t)))
	_, err := canary.New(canary.Config{
		URL: "http://127.0.0.1:8080", ClickHouse: clickhouse.DefaultDSN, Every: time.Minute, LateAfter: time.Minute,
		Timeout: time.Minute,
	}, &ofCanary, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	docs.Section(t, "metrics.md", "sluice-canary", docs.MetricsTable(ofCanary.Metrics(t)))
}
