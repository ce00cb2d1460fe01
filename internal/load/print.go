package load

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// writeJSON prints the report as one indented JSON document.
func (r Report) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return nil
}

// writeText prints the report for people: a table, the examples, and the verdict as the last line.
func (r Report) writeText(w io.Writer) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, args...)) // a strings.Builder does not fail
	}
	line("run", "%s", r.Run)
	line("sent", "%d events in %d requests, %.1f MB", r.Sent, r.Requests, float64(r.Bytes)/1e6)
	line("accepted", "%d in %.1f s, %.0f events/s", r.Accepted, r.Seconds, r.EventsPerSecond)
	line("rejected", "%d", r.Rejected)
	line("retried", "%d", r.Retried)
	if r.Repeated > 0 {
		line("repeated", "%d", r.Repeated)
	}
	line("unacknowledged", "%d", r.Unacknowledged)
	if r.PausedSeconds > 0 {
		line("paused", "%.1f s, as the gateway asked", r.PausedSeconds)
	}
	line("latency", "p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, max %.2f ms", r.Latency.P50, r.Latency.P99,
		r.Latency.P999, r.Latency.Max)
	line("answers", "%s", r.statuses())
	if v := r.Verify; v != nil {
		line("verified in", "%.1f s, %d rows", v.Seconds, v.Rows)
		if v.AmbiguousStored > 0 {
			line("ambiguous", "%d stored without an acknowledgement, which is allowed", v.AmbiguousStored)
		}
	}
	_ = table.Flush()
	for _, example := range r.Examples {
		fmt.Fprintf(&b, "answer: %s\n", example)
	}
	if r.Verify != nil {
		for _, e := range r.Verify.Examples {
			fmt.Fprintf(&b, "%s: %s %s\n", e.Kind, e.EventID, e.Detail)
		}
	}
	fmt.Fprintln(&b, r.verdict())
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return nil
}

// verdict returns the last line.
func (r Report) verdict() string {
	var line string
	if v := r.Verify; v != nil && v.Error == "" {
		line = fmt.Sprintf("verified: %d acknowledged, %d stored, %d missing, %d doubled, %d altered, %d foreign",
			v.Acknowledged, v.Stored, v.Missing, v.Doubled, v.Altered, v.Foreign)
	} else {
		line = fmt.Sprintf("sent: %d acknowledged, %d rejected, %d unacknowledged", r.Accepted, r.Rejected,
			r.Unacknowledged)
	}
	if faults := r.Faults(); len(faults) > 0 {
		return "FAILED: " + strings.Join(faults, ", ") + " (" + line + ")"
	}
	return line
}

func (r Report) statuses() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(r.ByStatus)) {
		parts = append(parts, fmt.Sprintf("%s: %d", name, r.ByStatus[name]))
	}
	return strings.Join(parts, ", ")
}
