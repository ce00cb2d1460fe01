package plan

import (
	"fmt"
	"math"
	"strconv"
)

// exact prints a number of the input without an exponent.
func exact(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// short prints a number with three significant digits, with k, M, G, T, P or E for thousands.
func short(v float64) string {
	units := []string{"", "k", "M", "G", "T", "P", "E"}
	i := 0
	for i < len(units)-1 && round3(v) >= 1000 {
		v /= 1000
		i++
	}
	text := strconv.FormatFloat(round3(v), 'f', -1, 64)
	if i == 0 {
		return text
	}
	return text + " " + units[i]
}

// round3 keeps three significant digits.
func round3(v float64) float64 {
	if v == 0 || math.IsInf(v, 0) {
		return v
	}
	out, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 2, 64), 64)
	if err != nil {
		return v
	}
	return out
}

// bytes prints a number of bytes, with a unit of thousands.
func bytes(v float64) string {
	text := short(v)
	if last := text[len(text)-1]; last >= '0' && last <= '9' {
		return text + " B"
	}
	return text + "B"
}

// spent prints microseconds of processor time, as milliseconds from one on.
func spent(micros float64) string {
	if micros >= 1000 {
		return short(micros/1000) + " ms"
	}
	return short(micros) + " µs"
}

// span prints a time in the largest unit that it fills.
func span(seconds float64) string {
	for _, u := range []struct {
		name string
		size float64
	}{{"d", daySeconds}, {"h", 3600}, {"min", 60}} {
		if seconds >= u.size {
			return exact(math.Round(seconds/u.size*10)/10) + " " + u.name
		}
	}
	return fmt.Sprintf("%s s", short(seconds))
}

// money prints an amount: whole from 100, else with as many digits as tell something.
func money(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	}
	return strconv.FormatFloat(round3(v), 'f', -1, 64)
}
