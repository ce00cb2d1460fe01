package settings_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/settings"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90d": 90 * 24 * time.Hour, "1d": 24 * time.Hour, "0d": 0, "65535d": 65535 * 24 * time.Hour,
		"36h": 36 * time.Hour, "1.5s": 1500 * time.Millisecond, "0": 0, "-1h": -time.Hour,
	} {
		var d settings.Duration
		require.NoError(t, d.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, time.Duration(d), text)
	}
	for _, text := range []string{"", "d", "90", "1.5d", "-1d", "90 d", "90D", "1d12h", "65536d", "soon"} {
		d := settings.Duration(time.Second)
		require.Error(t, d.UnmarshalText([]byte(text)), text)
		require.Equal(t, settings.Duration(time.Second), d, text)
	}
}
