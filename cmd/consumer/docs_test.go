package main

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/consumer"
	"sluice/internal/docs"
	"sluice/internal/kafkaconn"
	"sluice/internal/settings"
)

func TestDocsSettings(t *testing.T) {
	program := docs.Model(t, &cli{}, vars)
	file, kafka := docs.Model(t, &settings.File{}), docs.Model(t, &kafkaconn.Config{}, vars)
	migrate := docs.Command(t, program, "migrate")
	docs.Section(t, "settings.md", "consumer", docs.SettingsTable(docs.Flags(program, file, kafka, migrate)))
	docs.Section(t, "settings.md", "consumer-migrate", docs.SettingsTable(docs.Flags(migrate)))
}

func TestDocsMetrics(t *testing.T) {
	var c cli
	// Every step has a series of its own, so all of them are on.
	_, err := settings.Parse("consumer", description, &c, settings.Source{Args: []string{"--sample=0.5", "--redact-keys=password"}}, vars)
	require.NoError(t, err)
	var metrics docs.Recorder
	_, err = consumer.New(c.Config, consumer.Deps{Kafka: c.Kafka, Metrics: &metrics, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	docs.Section(t, "metrics.md", "consumer", docs.MetricsTable(metrics.Metrics(t)))
}
