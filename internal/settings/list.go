package settings

import "strings"

// List splits a comma-separated setting. It trims white space and drops empty entries.
func List(text string) []string {
	var out []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}
