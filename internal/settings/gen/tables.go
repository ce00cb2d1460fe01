package main

import (
	"fmt"
	"strings"

	"sluice/internal/settings"
)

// table is one table of the section: settings of one program that belong together.
type table struct {
	title, text string
	folder      string
	of          func(setting) bool
}

func owned(owner string) func(setting) bool {
	return func(s setting) bool { return s.owner == owner }
}

func byCommand(command string) func(setting) bool {
	return func(s setting) bool { return s.command == command }
}

const (
	gatewayFolder  = "cmd/gateway"
	consumerFolder = "cmd/consumer"
	sluiceFolder   = "cmd/sluice"
)

// tables are the section. Settings that several programs have stand in one table, or in the table of each program where
// their defaults differ.
func tables() []table {
	kafka := owned("kafkaconn.Config")
	file := owned("settings.File")
	return []table{
		{
			"Every program", "", gatewayFolder, file,
		}, {
			"Kafka, for every program that speaks to it", "", gatewayFolder, kafka,
		}, {
			"`gateway`", "", gatewayFolder,
			func(s setting) bool { return !kafka(s) && !file(s) && s.owner != "main.cli" },
		}, {
			"`consumer`", "`consumer migrate` uses those of ClickHouse and the retention.", consumerFolder,
			func(s setting) bool { return !kafka(s) && !file(s) && s.command == "" },
		}, {
			"`consumer migrate`", "", consumerFolder, byCommand("migrate"),
		}, {
			"`sluice dev`", "Besides these, every setting of the gateway and of the consumer; addresses are on 127.0.0.1 and the drain delay is 0s.",
			sluiceFolder, func(s setting) bool { return s.command == "dev" && s.owner == "main.devCmd" },
		}, {
			"`sluice load`", "", sluiceFolder, byCommand("load"),
		}, {
			"`sluice topics`", "", sluiceFolder,
			func(s setting) bool { return strings.HasPrefix(s.command, "topics") && !kafka(s) },
		}, {
			"`sluice dead`", "", sluiceFolder,
			func(s setting) bool { return strings.HasPrefix(s.command, "dead") && !kafka(s) },
		}, {
			"`sluice keys`", "", sluiceFolder,
			func(s setting) bool { return strings.HasPrefix(s.command, "keys") },
		},
	}
}

// section is the text between the markers.
func section(root string) (string, error) {
	src := &source{root: root, pkgs: map[string]*pkg{}}
	var out strings.Builder
	for _, t := range tables() {
		all, err := src.program(t.folder)
		if err != nil {
			return "", err
		}
		var rows []setting
		seen := map[string]bool{}
		for _, s := range all {
			if t.of(s) && !seen[s.flag] {
				seen[s.flag] = true
				rows = append(rows, s)
			}
		}
		t.write(&out, rows)
	}
	return out.String(), nil
}

func (t table) write(out *strings.Builder, rows []setting) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(out, "\n### %s\n\n", t.title)
	if t.text != "" {
		fmt.Fprintf(out, "%s\n\n", t.text)
	}
	out.WriteString("| flag | variable | default | |\n|---|---|---|---|\n")
	for _, s := range rows {
		fmt.Fprintf(out, "| `--%s` | `%s` | %s | %s |\n", s.flag, settings.Variable(s.flag), s.shown(), cell(s.help))
	}
}

// shown is the default as the table has it.
func (s setting) shown() string {
	switch {
	case s.def != "":
		return "`" + s.def + "`"
	case s.isSwitch:
		return "off"
	default:
		return ""
	}
}

// cell keeps a text from ending its cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
