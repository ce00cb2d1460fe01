package console

import (
	"fmt"

	"sluice/internal/console/scrape"
)

// Settings are the settings of a gateway's console.
type Settings struct {
	Consumers []string `name:"console-consumers" placeholder:"HOST:PORT,…" help:"Admin addresses of the consumers whose lag, rows and freshness the console at / of the admin port shows. A name with several addresses stands for all of them, at most 64. Without them the console shows this gateway only."`
}

// Check returns an error that joins every fault of the settings, or nil.
func (s Settings) Check() error {
	if err := scrape.Check(s.Consumers); err != nil {
		return fmt.Errorf("--console-consumers: %w", err)
	}
	return nil
}
