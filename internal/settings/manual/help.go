package manual

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alecthomas/kong"
)

// Bounds of the width of help, in columns. Longer lines are hard to read, and shorter ones tear names apart.
const (
	MinWidth = 80
	MaxWidth = 100
)

// epilogue ends the help of a program.
var epilogue = []string{
	"A flag overrides its environment variable, the variable overrides the file of --config, " +
		"and the file overrides the default.",
	"Exit codes: 0 done, or drained after the first signal; 1 failed, and standard error has the reason; " +
		"2 stopped by a second signal, without a drain.",
}

// Help writes the help of a command, or of the program if command is nil: first the commands, then the settings by
// group, each with its environment variable and default. Lines have at most width columns, within MinWidth and
// MaxWidth.
func (m *Manual) Help(out io.Writer, command *kong.Node, width int) error {
	if command == nil {
		command = m.Program.Node
	}
	p := &page{width: min(max(width, MinWidth), MaxWidth)}
	p.line("Usage: " + m.usage(command))
	about := command.Help
	if command.Detail != "" {
		about += " " + command.Detail
	}
	p.paragraph(about, 0)
	p.commands(commands(command))
	p.arguments(command.Positional)
	for _, s := range sections(flags(command)) {
		p.heading(s.title)
		for _, f := range s.flags {
			p.flag(f, m.facts(f))
		}
	}
	if command == m.Program.Node {
		p.line("")
		p.line(fmt.Sprintf(`Help of one command: "%s help COMMAND".`, m.Program.Name))
	}
	for _, text := range epilogue {
		p.line("")
		p.wrapped(text, 0)
	}
	_, err := io.WriteString(out, p.text.String())
	return err
}

// usage is the form of a command line.
func (m *Manual) usage(command *kong.Node) string {
	words := []string{}
	for n := command; n != nil; n = n.Parent {
		words = append([]string{n.Name}, words...)
	}
	switch {
	case len(command.Children) > 0 && command.DefaultCmd != nil:
		words = append(words, "[COMMAND]")
	case len(command.Children) > 0:
		words = append(words, "COMMAND")
	}
	for _, arg := range command.Positional {
		words = append(words, argumentName(arg))
	}
	return strings.Join(append(words, "[flags]"), " ")
}

func argumentName(arg *kong.Positional) string {
	name := strings.ToUpper(arg.Name)
	if choices := choices(arg); len(choices) > 0 {
		name = strings.Join(choices, "|")
	}
	if arg.IsSlice() {
		name += "…"
	}
	if !arg.Required {
		name = "[" + name + "]"
	}
	return name
}

// facts is what a table would say of a setting besides its help: variable and default.
func (m *Manual) facts(f *kong.Flag) string {
	var facts []string
	if isSetting(f) {
		facts = append(facts, "$"+m.Variable(f.Name))
	}
	if f.Default != "" {
		facts = append(facts, "default "+f.Default)
	}
	if len(facts) == 0 {
		return ""
	}
	return "[" + strings.Join(facts, ", ") + "]"
}

// page is a text in the making.
type page struct {
	text  strings.Builder
	width int
}

func (p *page) line(text string) { p.text.WriteString(strings.TrimRight(text, " ") + "\n") }

func (p *page) wrapped(text string, indent int) {
	for _, line := range wrap(text, p.width-indent) {
		p.line(strings.Repeat(" ", indent) + line)
	}
}

func (p *page) paragraph(text string, indent int) {
	if text != "" {
		p.line("")
		p.wrapped(text, indent)
	}
}

func (p *page) heading(title string) {
	p.line("")
	p.line(title + ":")
}

// commands lists commands in two columns.
func (p *page) commands(of []*kong.Node) {
	if len(of) == 0 {
		return
	}
	p.heading("Commands")
	widest := 0
	for _, c := range of {
		widest = max(widest, utf8.RuneCountInString(c.Name))
	}
	for _, c := range of {
		p.columns(c.Name, c.Help, widest)
	}
}

func (p *page) arguments(of []*kong.Positional) {
	if len(of) == 0 {
		return
	}
	p.heading("Arguments")
	for _, arg := range of {
		p.line("  " + argumentName(arg))
		p.wrapped(arg.Help, textIndent)
	}
}

func (p *page) columns(name, text string, widest int) {
	const gap = 3
	indent := 2 + widest + gap
	for i, line := range wrap(text, p.width-indent) {
		if i == 0 {
			p.line(fmt.Sprintf("  %-*s%s%s", widest, name, strings.Repeat(" ", gap), line))
			continue
		}
		p.line(strings.Repeat(" ", indent) + line)
	}
}

// textIndent is where the text of a flag begins, one line below the flag.
const textIndent = 6

func (p *page) flag(f *kong.Flag, facts string) {
	name := "  --" + f.Name
	if f.Short != 0 {
		name = fmt.Sprintf("  -%c, --%s", f.Short, f.Name)
	}
	if value := valueName(f); value != "" {
		name += "=" + value
	}
	p.line(name)
	p.wrapped(f.Help, textIndent)
	p.wrapped(facts, textIndent)
}

// valueName says what kind of value a flag takes. It returns "" for a switch.
func valueName(f *kong.Flag) string {
	kind := f.Target.Type().Kind()
	switch {
	case f.IsBool():
		return ""
	case f.PlaceHolder != "":
		return f.PlaceHolder
	case f.Enum != "":
		return strings.Join(choices(f.Value), "|")
	case strings.HasSuffix(f.Name, "-addr"):
		return "HOST:PORT"
	case f.Target.Type() == reflect.TypeFor[time.Duration](), strings.HasSuffix(f.Target.Type().String(), ".Duration"):
		return "TIME"
	case kind >= reflect.Int && kind <= reflect.Float64:
		return "N"
	default:
		return strings.ToUpper(f.Name[strings.LastIndexByte(f.Name, '-')+1:])
	}
}
