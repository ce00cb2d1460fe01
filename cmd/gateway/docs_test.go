package main

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/gateway"
	"sluice/internal/admin"
	"sluice/internal/docs"
	"sluice/internal/kafkaconn"
	"sluice/internal/process"
	"sluice/internal/settings"
	"sluice/internal/testcert"
	"sluice/internal/testcommand"
	"sluice/internal/tracing"
)

func TestDocsSettings(t *testing.T) {
	program := docs.Model(t, &cli{}, vars)
	file, kafka := docs.Model(t, &settings.File{}), docs.Model(t, &kafkaconn.Config{}, vars)
	trace := docs.Model(t, &tracing.Config{})
	docs.Section(t, "settings.md", "tracing", docs.SettingsTable(docs.Flags(trace)))
	docs.Section(t, "settings.md", "every-program", docs.SettingsTable(docs.Flags(file)))
	docs.Section(t, "settings.md", "kafka", docs.SettingsTable(docs.Flags(kafka)))
	docs.Section(t, "settings.md", "gateway", docs.SettingsTable(docs.Flags(program, file, kafka, trace)))
}

func TestDocsMetrics(t *testing.T) {
	var c cli
	// The spool, the limit store and the certificate have metrics of their own, so all are on.
	certFile, keyFile := testcert.New(t).Write(t, t.TempDir(), "a")
	_, err := settings.Parse("gateway", description, &c, settings.Source{Args: []string{
		"--projects-file=../../deploy/projects.yaml", "--spool-dir=" + t.TempDir(), "--limit-store=redis://" + testcommand.Nobody(t),
		"--http-tls-cert-file=" + certFile, "--http-tls-key-file=" + keyFile,
	}}, vars)
	require.NoError(t, err)
	var metrics docs.Recorder
	log := slog.New(slog.DiscardHandler)
	_, err = gateway.New(c.Config, gateway.Deps{Kafka: c.Kafka, Metrics: &metrics, Log: log})
	require.NoError(t, err)
	docs.Section(t, "metrics.md", "gateway", docs.MetricsTable(metrics.Metrics(t)))

	serve := func(_ context.Context, s process.Service) error {
		healthy := func() error { return nil }
		s.Metrics.MustRegister(admin.HealthMetrics(healthy, healthy)...)
		docs.Section(t, "metrics.md", "every-program", docs.MetricsTable(docs.Gathered(t, s.Metrics, "sluice_")))
		return nil
	}
	require.NoError(t, process.Serve(t.Context(), "gateway", c.Process.Log, io.Discard, serve))
}
