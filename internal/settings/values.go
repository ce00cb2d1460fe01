package settings

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
)

// values are the settings found outside the command line, by flag name, each with the place it was found in.
type values map[string]value

type value struct {
	text  string
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

// configPath finds the settings file before the flags are parsed, because the flags' defaults may come from it.
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
	var doc yaml.MapSlice
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return fmt.Errorf("settings file %s is not a YAML mapping of settings: %s", path, yaml.FormatError(err, false, false))
	}
	var faults []error
	for _, item := range doc {
		key := fmt.Sprint(item.Key)
		flag, mine := known[key]
		switch {
		case key == "config":
			faults = append(faults, fmt.Errorf("settings file %s: %q cannot be set in the file itself", path, key))
		case mine:
			text, err := fileValue(item.Value, flag)
			if err != nil {
				faults = append(faults, fmt.Errorf("settings file %s: %s: %w", path, key, err))
				continue
			}
			v[key] = value{text, fmt.Sprintf("%s in %s", key, path)}
		case !slices.Contains(everyProgram, key):
			faults = append(faults, fmt.Errorf("settings file %s: unknown setting %q%s", path, key, suggest(key, names(known))))
		}
	}
	return errors.Join(faults...)
}

// fileValue is a YAML value as the command line would write it: a list becomes comma-separated text.
func fileValue(v any, flag *kong.Flag) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", errors.New("has no value")
	case []any:
		if !flag.IsSlice() {
			return "", errors.New("takes one value, not a list")
		}
		parts := make([]string, len(v))
		for i, p := range v {
			text, err := scalar(p, flag.Target.Type().Elem())
			if err != nil {
				return "", err
			}
			parts[i] = text
		}
		return strings.Join(parts, ","), nil
	default:
		return scalar(v, flag.Target.Type())
	}
}

// scalar is one value as text. A text must be a text in the file as well: YAML would make 83 of the password 0123.
func scalar(v any, want reflect.Type) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", errors.New("has no value")
	case []any:
		return "", errors.New("takes a value, not a list")
	case map[string]any, yaml.MapSlice:
		return "", errors.New("takes a value, not a mapping")
	case string:
		return v, nil
	default:
		if want.Kind() == reflect.String {
			return "", errors.New("takes a text: put it in quotes")
		}
		return fmt.Sprint(v), nil
	}
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
			faults = append(faults, fmt.Errorf("unknown environment variable %s%s", name, suggest(name, variables(known))))
		}
	}
	return errors.Join(faults...)
}

// Validate is part of kong.Resolver; everything was checked when the values were read.
func (v values) Validate(*kong.Application) error { return nil }

// Resolve is part of kong.Resolver: the value of a flag that is not on the command line.
func (v values) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if found, ok := v[flag.Name]; ok {
		return found.text, nil
	}
	return nil, nil //nolint:nilnil // kong's way to say "no value here"
}

// explain adds the place to an error that is about a value which did not come from the command line.
func (v values) explain(err error) error {
	for name, found := range v {
		if about(err, name) {
			return fmt.Errorf("%w (from %s)", err, found.place)
		}
	}
	return err
}

// about says whether kong's error names the flag: "--name: …", "--name=…", or "--name must be one of …".
func about(err error, name string) bool {
	_, rest, found := strings.Cut(err.Error(), "--"+name)
	return found && (rest == "" || strings.ContainsRune(":= ", rune(rest[0])))
}
