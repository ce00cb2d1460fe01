package conffile

import (
	"regexp"
	"slices"
	"strings"
)

// notText are unquoted words that some version of YAML takes for null, a boolean or a special key.
var notText = []string{"", "~", "null", "y", "n", "yes", "no", "on", "off", "true", "false", "<<", "="}

// notTexts are unquoted forms that some version of YAML takes for a number or a time.
var notTexts = []*regexp.Regexp{
	regexp.MustCompile(`^[-+]?[0-9][0-9_,]*$`),                                 // 12, 0755, 1_000
	regexp.MustCompile(`^[-+]?0[xX][0-9a-fA-F_]+$`),                            // 0x1f
	regexp.MustCompile(`^[-+]?0[oO][0-9_]+$`),                                  // 0o17
	regexp.MustCompile(`^[-+]?0[bB][01_]+$`),                                   // 0b11
	regexp.MustCompile(`^[-+]?([0-9][0-9_,]*)?\.?[0-9_]*([eE][-+]?[0-9_]+)?$`), // 1.0, .5, 1e3
	regexp.MustCompile(`^[-+]?\.(inf|Inf|INF|nan|NaN|NAN)$`),                   // .inf
	regexp.MustCompile(`^[-+]?[0-9][0-9_]*(:[0-9]{1,2})+(\.[0-9_]*)?$`),        // 1:20
	regexp.MustCompile(`^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?$`),         // 2026-11-28
}

// fraction matches a number with or without a point.
var fraction = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// ambiguous reports whether any YAML reader takes an unquoted word for something other than text.
func ambiguous(word string) bool {
	if len(word) <= 5 && slices.Contains(notText, strings.ToLower(word)) {
		return true
	}
	if !strings.ContainsRune("+-.0123456789", rune(word[0])) {
		return false
	}
	return slices.ContainsFunc(notTexts, func(form *regexp.Regexp) bool { return form.MatchString(word) })
}

func isNull(word string) bool {
	switch word {
	case "", "~", "null", "Null", "NULL":
		return true
	}
	return false
}
