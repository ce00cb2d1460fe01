package settings

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Moment is a time in a flag: RFC 3339, or a duration before now.
type Moment struct{ time.Time }

// UnmarshalText reads a flag's value.
func (m *Moment) UnmarshalText(text []byte) error {
	if t, err := time.Parse(time.RFC3339Nano, string(text)); err == nil {
		m.Time = t
		return nil
	}
	days, isDays := strings.CutSuffix(string(text), "d")
	if n, err := strconv.ParseFloat(days, 64); isDays && err == nil && n >= 0 {
		m.Time = time.Now().Add(-time.Duration(n * 24 * float64(time.Hour)))
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d < 0 {
		return fmt.Errorf("%q is no time; write 2026-11-28T12:00:00Z, or 2h or 3d for that long ago", text)
	}
	m.Time = time.Now().Add(-d)
	return nil
}
