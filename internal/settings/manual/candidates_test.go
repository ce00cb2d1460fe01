package manual

import (
	"bytes"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
)

type program struct {
	Config string `name:"config" placeholder:"FILE" help:"A file."`
	Level  string `name:"log-level" enum:"debug,info" default:"info" help:"A level. The least one."`
	TLS    bool   `name:"kafka-tls" help:"A switch."`
	Dir    string `name:"spool-dir" placeholder:"DIR" help:"A directory."`

	Serve struct{} `cmd:"" default:"1" help:"Serve."`
	Dead  struct {
		Topic string   `name:"kafka-topic" default:"events" help:"A topic."`
		List  struct{} `cmd:"" help:"List. All of them."`
		Show  struct {
			Shell string `arg:"" enum:"bash,zsh" help:"A shell."`
		} `cmd:"" help:"Show."`
	} `cmd:"" help:"Dead letters."`
	Help struct {
		Command []string `arg:"" optional:"" commands:"" help:"A command."`
	} `cmd:"" help:"Help." standalone:""`
}

func manualOf(t testing.TB) *Manual {
	t.Helper()
	parser, err := kong.New(&program{}, kong.Name("program"))
	require.NoError(t, err)
	return &Manual{Program: parser.Model, Variable: strings.ToUpper}
}

func TestComplete(t *testing.T) {
	for typed, want := range map[string]string{
		"":                        ":words serve dead help",
		"d":                       ":words dead",
		"x":                       ":words",
		"dead ":                   ":words list show",
		"dead show ":              ":words bash zsh",
		"dead show z":             ":words zsh",
		"dead show zsh ":          ":words",
		"dead --kafka-":           ":words --kafka-tls --kafka-topic",
		"--kafka-":                ":words --kafka-tls",
		"--kafka-tls --kafka-":    ":words",
		"--kafka-tls=":            ":words true false",
		"--log-level ":            ":words debug info",
		"--log-level=d":           ":words debug",
		"--log-level debug d":     ":words dead",
		"--no-such=":              ":words",
		"--config ":               ":files",
		"--config=":               ":files",
		"--spool-dir ":            ":dirs",
		"-- --log":                ":words",
		"help ":                   ":words serve dead help",
		"help dead ":              ":words list show",
		"help dead sh":            ":words show",
		"help no such ":           ":words",
		"help --":                 ":words --help",
		"dead list --log-level d": ":words debug",
	} {
		kind, candidates := manualOf(t).Complete(strings.Split(typed, " "))
		words := []string{string(kind)}
		for _, c := range candidates {
			words = append(words, c.Word)
		}
		require.Equal(t, want, strings.Join(words, " "), "%q", typed)
	}
}

// An answer has one line a candidate, and the first sentence of its help.
func TestAnswer(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, manualOf(t).Answer(&out, []string{"dead", "l"}))
	require.Equal(t, ":words\nlist\tList\n", out.String())
	require.Error(t, manualOf(t).Script(&out, "ksh"))
}

// Whatever is typed, completion answers.
func FuzzComplete(f *testing.F) {
	f.Add("dead show ")
	f.Add("--log-level=\x00 -- help")
	m := manualOf(f)
	f.Fuzz(func(t *testing.T, typed string) {
		kind, _ := m.Complete(strings.Split(typed, " "))
		require.NotEmpty(t, kind)
	})
}
