package main

import (
	"testing"

	"sluice/consumer"
	"sluice/gateway"
	"sluice/internal/docs"
	"sluice/internal/kafkaconn"
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
	for _, command := range []string{"load", "topics", "dead", "keys"} {
		own := docs.Flags(docs.Command(t, program, command), kafka)
		docs.Section(t, "settings.md", "sluice-"+command, docs.SettingsTable(own))
	}
}
