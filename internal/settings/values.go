package settings

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"sluice/internal/conffile"
)

// values holds the settings from the environment and the file by flag name, each with its place.
type values map[string]value

type value struct {
	given any // text, or a list of texts
	place string
}

func newValues(app *kong.Kong, src Source) (values, error) {
	known := flagNames(app)
	out := values{}
	path := configPath(src)
	if path != "" {
		if err := out.addFile(path, known); err != nil {
			return nil, err
		}
	}
	if err := out.addEnv(src.Env, known); err != nil {
		return nil, err
	}
	return out, nil
}

// configPath finds the settings file before kong parses the flags, because the file replaces their defaults.
func configPath(src Source) string {
	for i, arg := range src.Args {
		if arg == "--" {
			break
		}
		if path, ok := strings.CutPrefix(arg, "--config="); ok {
			return path
		}
		if arg == "--config" && i+1 < len(src.Args) {
			return src.Args[i+1]
		}
	}
	for _, kv := range src.Env {
		if path, ok := strings.CutPrefix(kv, Prefix+"CONFIG="); ok {
			return path
		}
	}
	return ""
}

func (v values) addFile(path string, known map[string]*kong.Flag) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("settings file: %w", err)
	}
	doc, err := conffile.Parse(text)
	if err == nil && doc.Kind != conffile.Map {
		err = errors.New("not a YAML mapping of settings")
	}
	if err != nil {
		return fmt.Errorf("settings file %s: %w", path, err)
	}
	var faults []error
	for name, found := range doc.Pairs {
		key := name.Text
		where := fmt.Sprintf("settings file %s: line %d", path, name.Line)
		flag, mine := known[key]
		switch {
		case key == "config":
			faults = append(faults, fmt.Errorf("%s: %q cannot be set in the settings file", where, key))
		case mine:
			given, err := fileValue(found, flag)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s: %s: %w", where, key, err))
				continue
			}
			v[key] = value{given, fmt.Sprintf("line %d of %s", name.Line, path)}
		case !slices.Contains(everyProgram, key):
			faults = append(faults,
				fmt.Errorf("%s: unknown setting %s%s", where, conffile.Name(key), suggest(key, names(known))))
		}
	}
	return errors.Join(faults...)
}

// fileValue converts a value of the file: to the text that the command line would have, or to a list of such texts.
func fileValue(found *conffile.Node, flag *kong.Flag) (any, error) {
	want := flag.Target.Type()
	if found.Kind != conffile.List {
		return scalar(found, want)
	}
	if !flag.IsSlice() {
		return nil, errors.New("takes one value, not a list")
	}
	list := make([]any, len(found.Items))
	for i := range found.Items {
		text, err := scalar(&found.Items[i], want.Elem())
		if err != nil {
			return nil, err
		}
		list[i] = text
	}
	return list, nil
}

// scalar returns one value as text. A text setting must be a text in the file as well: YAML would turn the password
// 0123 into 83. Numbers, switches and times may be in quotes.
func scalar(found *conffile.Node, want reflect.Type) (string, error) {
	kind := want.Kind()
	if kind == reflect.String || kind == reflect.Slice {
		return found.String()
	}
	return found.Word()
}

func (v values) addEnv(env []string, known map[string]*kong.Flag) error {
	byVariable := make(map[string]string, len(known))
	for name := range known {
		byVariable[Variable(name)] = name
	}
	var faults []error
	for _, kv := range env {
		name, text, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, Prefix) {
			continue
		}
		flag, mine := byVariable[name]
		switch {
		case mine:
			if text != "" {
				v[flag] = value{text, "environment variable " + name}
			}
		case isOtherProgram(name), kubernetesService.MatchString(name):
		default:
			faults = append(faults,
				fmt.Errorf("unknown environment variable %s%s", name, suggest(name, variables(known))))
		}
	}
	return errors.Join(faults...)
}

// Validate implements kong.Resolver. The values are already checked.
func (v values) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver. It returns the value of a flag that is not on the command line, or nil.
func (v values) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if found, ok := v[flag.Name]; ok {
		return found.given, nil
	}
	return nil, nil
}

// explain adds the place to an error about a value from a variable or the file.
func (v values) explain(err error) error {
	for name, found := range v {
		if about(err, name) {
			return fmt.Errorf("%w (from %s)", err, found.place)
		}
	}
	return err
}

// about reports whether kong's error names the flag: "--name: …", "--name=…", or "--name must be one of …".
func about(err error, name string) bool {
	_, rest, found := strings.Cut(err.Error(), "--"+name)
	return found && (rest == "" || strings.ContainsRune(":= ", rune(rest[0])))
}
