package plan

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// WriteJSON prints the plan as one JSON document.
func (p Plan) WriteJSON(out io.Writer) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(p); err != nil {
		return fmt.Errorf("print the plan: %w", err)
	}
	return nil
}

// WriteText prints the plan as a table, each number with the sentence that gives it, and then the warnings.
func (p Plan) WriteText(out io.Writer) error {
	var text strings.Builder
	wide, value := 0, 0
	for _, line := range p.Why {
		wide, value = max(wide, width(line.What)), max(value, width(line.Value))
	}
	part := ""
	for _, line := range p.Why {
		if line.Part != part {
			part = line.Part
			fmt.Fprintf(&text, "%s\n", part)
		}
		fmt.Fprintf(&text, "  %s  %s  %s\n", pad(line.What, wide), pad(line.Value, value), line.Why)
	}
	fmt.Fprintf(&text, "\nFigures: %s. Prices are in any currency; see --help.\n", p.Figures.Origin)
	for _, w := range p.Warnings {
		fmt.Fprintf(&text, "warning: %s\n", w.Text)
	}
	if _, err := io.WriteString(out, text.String()); err != nil {
		return fmt.Errorf("print the plan: %w", err)
	}
	return nil
}

// pad counts characters, because µ has two bytes.
func pad(text string, to int) string { return text + strings.Repeat(" ", max(0, to-width(text))) }

func width(text string) int { return utf8.RuneCountInString(text) }
