package projects

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"sluice/internal/conffile"
	"sluice/internal/event"
	"sluice/internal/settings"
)

// The fields of a project, of a key and of a limit.
var (
	projectFields = []string{"id", "keys", "limit", "origins", "disabled"}
	keyFields     = []string{"name", "sha256"}
	limitFields   = []string{"events", "window", "retry_after", "unlimited"}
)

// entryReader reads the projects of a file one by one. Each reading overwrites entry.
type entryReader struct {
	entry entry
	fault func(line int, err error)
	bad   bool // the entry has a fault

	// The last window. Most projects have the same one.
	windowText string
	window     time.Duration
}

// read reads a project into entry and reports whether it is good. It reports every fault, not only the first.
func (r *entryReader) read(n *conffile.Node) bool {
	r.bad = false
	r.entry = entry{
		line: n.Line, keys: r.entry.keys[:0], origins: []byte(anyOrigin),
		limit: Limit{Events: defaultLimitEvents, Window: defaultLimitWindow},
	}
	r.id(n)
	r.fields(n, "a project", projectFields, func(name string, value *conffile.Node) {
		switch name {
		case "keys":
			r.items(value, "keys", r.key)
		case "limit":
			r.limit(value)
		case "origins":
			r.origins(value)
		case "disabled":
			off, err := value.Bool()
			r.entry.off = off
			r.check(value.Line, "disabled", err)
		}
	})
	return !r.bad
}

// id reads the id before the other fields, so that every fault can name the project.
func (r *entryReader) id(n *conffile.Node) {
	if n.Kind != conffile.Map {
		return
	}
	line := n.Line
	for key, value := range n.Pairs {
		if key.Text != "id" || value.IsNull() {
			continue
		}
		line = value.Line
		var err error
		if r.entry.id, err = value.String(); err != nil {
			r.check(line, "id", err)
			return
		}
	}
	if !event.ValidProjectID(r.entry.id) {
		r.wrong(line, errors.New("id must match [a-z0-9_-]{1,64}"))
	}
}

// wrong reports a fault.
func (r *entryReader) wrong(line int, err error) {
	r.bad = true
	r.fault(line, err)
}

// check reports the error of a field unless it is nil.
func (r *entryReader) check(line int, field string, err error) {
	if err != nil {
		r.wrong(line, fmt.Errorf("%s %w", field, err))
	}
}

// fields calls each for the fields of a mapping. A field without a value counts as left out.
func (r *entryReader) fields(
	n *conffile.Node, what string, known []string, each func(name string, value *conffile.Node),
) {
	if n.Kind != conffile.Map {
		r.wrong(n.Line, fmt.Errorf("%s must be a mapping", what))
		return
	}
next:
	for key, value := range n.Pairs {
		for _, name := range known {
			if key.Text == name {
				if !value.IsNull() {
					each(name, value)
				}
				continue next
			}
		}
		hint := ""
		if near := settings.Nearest(key.Text, known); near != "" {
			hint = "; did you mean " + near + "?"
		}
		r.wrong(key.Line, fmt.Errorf("unknown field %s%s", conffile.Name(key.Text), hint))
	}
}

// items calls each for the items of a list.
func (r *entryReader) items(n *conffile.Node, field string, each func(i int, item *conffile.Node)) {
	if n.Kind != conffile.List {
		r.wrong(n.Line, fmt.Errorf("%s must be a list", field))
		return
	}
	for i := range n.Items {
		each(i, &n.Items[i])
	}
}

// maxShownName is the length of the longest name that an error repeats. A longer one could be a key in the wrong field:
// `sluice keys new` makes longer keys.
const maxShownName = 32

func (r *entryReader) key(i int, n *conffile.Node) {
	key := keyEntry{line: n.Line, name: strconv.Itoa(i + 1)}
	hasDigest := false
	r.fields(n, "a key", keyFields, func(field string, value *conffile.Node) {
		text, err := value.String()
		switch {
		case field == "name":
			r.check(value.Line, "key "+key.name+": name", err)
			if err == nil && text != "" && len(text) <= maxShownName {
				key.name = strconv.Quote(text)
			}
		case err != nil:
			hasDigest = true
			r.check(value.Line, "key "+key.name+": sha256", err)
		default:
			hasDigest = true
			if !readDigest(&key.digest, text) {
				r.wrong(value.Line, fmt.Errorf("key %s: sha256 must be 64 hex digits; "+
					"`sluice keys hash` makes them of a key, which itself is never in this file", key.name))
			}
		}
	})
	if !hasDigest && n.Kind == conffile.Map {
		r.wrong(n.Line, fmt.Errorf("key %s: sha256 is missing", key.name))
	}
	r.entry.keys = append(r.entry.keys, key)
}

func readDigest(d *digest, text string) bool {
	if len(text) != hex.EncodedLen(sha256.Size) {
		return false
	}
	_, err := hex.Decode(d[:], []byte(text))
	return err == nil
}

func (r *entryReader) limit(n *conffile.Node) {
	spec := &r.entry.limit
	unlimited, given := false, false
	r.fields(n, "limit", limitFields, func(field string, value *conffile.Node) {
		var err error
		switch field {
		case "events":
			given = true
			var events int64
			if events, err = value.Int(); err == nil && (events < 1 || events > MaxLimitEvents) {
				err = fmt.Errorf("must be 1 to %d", MaxLimitEvents)
			}
			spec.Events = int(events)
		case "window":
			given = true
			spec.Window, err = r.readWindow(value)
		case "retry_after":
			var text string
			if text, err = value.String(); err == nil && text != "window" && text != "exact" {
				err = errors.New("must be window or exact")
			}
			spec.ExactRetryAfter = text == "exact"
		case "unlimited":
			unlimited, err = value.Bool()
		}
		r.check(value.Line, "limit."+field, err)
	})
	if unlimited {
		if given {
			r.wrong(n.Line, errors.New("limit: unlimited and a limit contradict each other"))
		}
		*spec = Limit{}
	}
}

func (r *entryReader) readWindow(n *conffile.Node) (time.Duration, error) {
	text, err := n.Word()
	if err != nil {
		return 0, err
	}
	if text == r.windowText {
		return r.window, nil
	}
	window, err := settings.ParseDuration(text)
	switch {
	case err != nil:
		return 0, err
	case window < time.Second || window > MaxLimitWindow:
		return 0, fmt.Errorf("must be 1s to %s", MaxLimitWindow)
	case window%time.Microsecond != 0:
		return 0, errors.New("must be whole microseconds")
	}
	r.windowText, r.window = text, window
	return window, nil
}

func (r *entryReader) origins(n *conffile.Node) {
	var list []string
	r.items(n, "origins", func(_ int, item *conffile.Node) {
		text, err := item.String()
		r.check(item.Line, "origins:", err)
		if err == nil {
			list = append(list, text)
		}
	})
	text, err := parseOrigins(list)
	r.entry.origins = text
	if err != nil {
		r.wrong(n.Line, err)
	}
}
