package load

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgress(t *testing.T) {
	for name, c := range map[string]struct {
		bar  bool
		cfg  Config
		want string
	}{
		"bar of events": {true, Config{Events: 100}, "40% |"},
		"bar of time":   {true, Config{Duration: 20 * time.Second}, "40 acknowledged"},
		"lines":         {false, Config{Events: 100}, "40 acknowledged, 8 events/s"},
		"none":          {false, Config{Events: 100, JSON: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				p := newProgress(c.cfg, &out)
				p.bar = c.bar
				counts := newTally(time.Now())
				counts.accepted = 40
				ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
				defer cancel()
				p.follow(ctx, counts)
				if got := out.String(); !strings.Contains(got, c.want) || c.want == "" && got != "" {
					t.Errorf("progress %q, want %q", got, c.want)
				}
			})
		})
	}
}
