package main

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/gateway"
	"sluice/internal/docs"
	"sluice/internal/kafkaconn"
	"sluice/internal/process"
	"sluice/internal/settings"
)

func TestDocsSettings(t *testing.T) {
	program := docs.Model(t, &cli{}, vars)
	file, kafka := docs.Model(t, &settings.File{}), docs.Model(t, &kafkaconn.Config{}, vars)
	docs.Section(t, "settings.md", "every-program", docs.SettingsTable(docs.Flags(file)))
	docs.Section(t, "settings.md", "kafka", docs.SettingsTable(docs.Flags(kafka)))
	docs.Section(t, "settings.md", "gateway", docs.SettingsTable(docs.Flags(program, file, kafka)))
}

func TestDocsMetrics(t *testing.T) {
	var c cli
	// Spool and limit store are on: each has metrics of its own.
	_, err := settings.Parse("gateway", description, &c, settings.Source{Args: []string{
		"--projects-file=../../deploy/projects.yaml", "--spool-dir=" + t.TempDir(), "--limit-store=redis://" + nobody(t),
	}}, vars)
	require.NoError(t, err)
	var metrics docs.Recorder
	log := slog.New(slog.DiscardHandler)
	_, err = gateway.New(c.Config, gateway.Deps{Kafka: c.Kafka, Metrics: &metrics, Log: log})
	require.NoError(t, err)
	docs.Section(t, "metrics.md", "gateway", docs.MetricsTable(metrics.Metrics(t)))

	serve := func(_ context.Context, s process.Service) error {
		docs.Section(t, "metrics.md", "every-program", docs.MetricsTable(docs.Gathered(t, s.Metrics, "sluice_")))
		return nil
	}
	require.NoError(t, process.Serve(t.Context(), "gateway", c.Process.Log, io.Discard, serve))
}
