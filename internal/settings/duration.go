package settings

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration that can also be written in days: 90d. A day is 24 hours.
type Duration time.Duration

// UnmarshalText parses text with ParseDuration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := ParseDuration(string(text))
	if err != nil {
		return err
	}
	*d = Duration(v)
	return nil
}

var (
	// durationForm matches decimal digits with a unit, once or more, at a precision that needs no rounding.
	durationForm = regexp.MustCompile(`^-?([0-9]+(\.[0-9]{1,6})?(ms|s|m|h)|[0-9]+(ns|us|µs))+$`)
	daysForm     = regexp.MustCompile(`^[0-9]+d$`)
	noUnit       = regexp.MustCompile(`^[0-9]{1,12}$`)
)

// ParseDuration parses a time with a unit: "90d", "36h", "1.5s", "1m30s", or "0". Its error repeats only digits.
func ParseDuration(text string) (time.Duration, error) {
	switch {
	case text == "0":
		return 0, nil
	case daysForm.MatchString(text):
		n, err := strconv.ParseUint(strings.TrimSuffix(text, "d"), 10, 16)
		if err != nil {
			return 0, fmt.Errorf("takes at most %dd", math.MaxUint16)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	case noUnit.MatchString(text):
		return 0, fmt.Errorf("%s has no unit; write %ss for seconds, %sd for days", text, text, text)
	case !durationForm.MatchString(text):
		return 0, errors.New("takes a time with its unit, such as 90d, 36h, 60s or 1.5s")
	}
	v, err := time.ParseDuration(text)
	if err != nil {
		return 0, errors.New("is a time out of range")
	}
	return v, nil
}
