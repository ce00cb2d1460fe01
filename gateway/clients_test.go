package gateway

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sluice/internal/event"
)

var generators = flag.Bool("generators", false, "run TestGeneratedClients, which asks package registries")

// TestGeneratedClients: the generators that people use make clients of openapi.json, which compile where their language is
// compiled, and these send an event, a bulk and an event that is refused, with every type that an event's fields can have.
//
//	go test ./gateway -run TestGeneratedClients -v -generators
//
// Generators and libraries are pinned under testdata/clients, and none of them is a dependency of this module.
func TestGeneratedClients(t *testing.T) {
	if !*generators {
		t.Skip("installs three code generators from package registries: add -generators")
	}
	for name, test := range map[string]struct {
		needs []string
		steps [][]string
	}{
		"go": {
			[]string{"go"},
			[][]string{
				{"mkdir", "api"},
				{"go", "tool", "oapi-codegen", "-generate", "types,client", "-package", "api", "-o", "api/api.go", "openapi.json"},
				{"go", "vet", "./..."},
				{"go", "run", ".", "URL", "KEY"},
			},
		},
		"python": {
			[]string{"python3"},
			[][]string{
				{"python3", "-m", "venv", "venv"},
				{"venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", "requirements.txt"},
				{"venv/bin/openapi-python-client", "generate", "--path", "openapi.json", "--meta", "none", "--output-path", "sluice_gateway_client"},
				{"venv/bin/python", "send.py", "URL", "KEY"},
			},
		},
		"typescript": {
			[]string{"node", "npm"},
			[][]string{
				{"npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"},
				{"node_modules/.bin/openapi-typescript", "openapi.json", "-o", "schema.d.ts"},
				{"node_modules/.bin/tsc", "-p", "."},
				{"node", "send.js", "URL", "KEY"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, program := range test.needs {
				if _, err := exec.LookPath(program); err != nil {
					t.Skipf("%s is not on the path", program)
				}
			}
			if name == "python" && exec.CommandContext(t.Context(), "python3", "-c", "import venv, ensurepip").Run() != nil {
				t.Skip("python3 cannot make virtual environments: install python3-venv")
			}
			s := serve(t)
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "clients", name))); err != nil {
				t.Fatal(err)
			}
			// As it is served, and not as it lies here.
			if err := os.WriteFile(filepath.Join(dir, "openapi.json"), []byte(s.do(request{method: "GET", path: pathOpenAPI}).text), 0o600); err != nil {
				t.Fatal(err)
			}
			var out string
			for _, step := range test.steps {
				out = clientStep(t, dir, strings.NewReplacer("URL", s.url, "KEY", testKey), step)
			}
			want := regexp.MustCompile(`(?m)^accepted [0-9a-f-]{36} 2 1 invalid_event invalid_event level$`)
			if !want.MatchString(out) {
				t.Errorf("it got %q", out)
			}
			checkClientsEvents(t, s, name)
		})
	}
}

// clientStep runs one step in dir and returns what it printed.
func clientStep(t *testing.T, dir string, fill *strings.Replacer, step []string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	args := make([]string, len(step))
	for i, arg := range step {
		args[i] = fill.Replace(arg)
	}
	if strings.Contains(args[0], "/") {
		args[0] = filepath.Join(dir, args[0])
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // the steps above
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", step, err, out)
	}
	return string(out)
}

// checkClientsEvents checks what became of what a client sent.
func checkClientsEvents(t *testing.T, s *served, name string) {
	t.Helper()
	records := s.producer.Stored()
	if len(records) != 3 {
		t.Fatalf("%d events were kept", len(records))
	}
	for i, word := range []string{"one", "two", "three"} {
		if value := string(records[i].Value); !strings.Contains(value, fmt.Sprintf("%s from %s", word, name)) {
			t.Errorf("event %d is %s", i, value)
		}
	}
	value := strings.ReplaceAll(string(records[0].Value), " ", "")
	for _, field := range []string{`"region":"eu"`, `"anything":"else"`, `"type":"Error"`, `["a","b"]`, `"warn"`} {
		if !strings.Contains(value, field) {
			t.Errorf("%s is not in %s", field, value)
		}
	}
	var decoder event.Decoder
	var ev event.Event
	if err := decoder.Decode(records[0].Value, &ev); err != nil {
		t.Fatal(err)
	}
	if at, understood := ev.Timestamp.Time(); !understood || at.UnixMilli() != 1795435200123 {
		t.Errorf("the timestamp is %v in %s", at, value)
	}
}
