package settings

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration that can also be written in days: 90d. Days are 24 hours.
type Duration time.Duration

// UnmarshalText reads "90d" or whatever time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return fmt.Errorf("%q is not a number of days, such as 90d", text)
		}
		*d = Duration(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration, such as 90d, 36h or 1.5s", text)
	}
	*d = Duration(v)
	return nil
}
