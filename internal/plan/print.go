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
		indent := strings.Repeat(" ", wide+value+6)
		why := strings.Join(wrap(line.Why, columns-len(indent)), "\n"+indent)
		fmt.Fprintf(&text, "  %s  %s  %s\n", pad(line.What, wide), pad(line.Value, value), why)
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

// columns is the width of the table.
const columns = 120

// wrap breaks a text at spaces into lines of at most width characters, except for longer words.
func wrap(text string, most int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && width(line)+1+width(word) > most {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimLeft(line+" "+word, " ")
	}
	return append(lines, line)
}

// pad counts characters, because µ has two bytes.
func pad(text string, to int) string { return text + strings.Repeat(" ", max(0, to-width(text))) }

func width(text string) int { return utf8.RuneCountInString(text) }
