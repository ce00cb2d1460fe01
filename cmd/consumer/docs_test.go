package main

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/consumer"
	"sluice/internal/docs"
	"sluice/internal/kafkaconn"
	"sluice/internal/settings"
	"sluice/internal/tracing"
)

func TestDocsSettings(t *testing.T) {
	program := docs.Model(t, &cli{}, vars)
	file, kafka := docs.Model(t, &settings.File{}), docs.Model(t, &kafkaconn.Config{}, vars)
	migrate := docs.Command(t, program, "migrate")
	columns := docs.Command(t, program, "columns")
	docs.Section(t, "settings.md", "consumer", docs.SettingsTable(docs.Flags(program, file, kafka, docs.Model(t, &tracing.Config{}), migrate, columns)))
	docs.Section(t, "settings.md", "consumer-columns", docs.SettingsTable(docs.Flags(columns)))
	docs.Section(t, "settings.md", "consumer-migrate", docs.SettingsTable(docs.Flags(migrate)))
}

func TestDocsMetrics(t *testing.T) {
	var c cli
	// Every step has its own series, so all steps are on.
	src := settings.Source{Args: []string{"--sample=0.5", "--redact-keys=password"}}
	_, err := settings.Parse("consumer", description, &c, src, vars)
	require.NoError(t, err)
	var metrics docs.Recorder
	log := slog.New(slog.DiscardHandler)
	_, err = consumer.New(c.Config, consumer.Deps{Kafka: c.Kafka, Metrics: &metrics, Log: log})
	require.NoError(t, err)
	docs.Section(t, "metrics.md", "consumer", docs.MetricsTable(metrics.Metrics(t)))
}
