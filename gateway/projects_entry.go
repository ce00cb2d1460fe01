package gateway

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

// The names of the fields of a project, of a key and of a limit.
var (
	projectFields = []string{"id", "keys", "limit", "origins", "disabled"}
	keyFields     = []string{"name", "sha256"}
	limitFields   = []string{"events", "window", "retry_after", "unlimited"}
)

// entryReader reads the projects of a file one by one. Its entry is used again for the next one.
type entryReader struct {
	entry projectEntry
	fault func(line int, err error)
	bad   bool

	// The window that was read last: most projects have the same.
	windowText string
	window     time.Duration
}

// read reads a project and reports whether it is good. Everything that is wrong with it is said.
func (r *entryReader) read(n *conffile.Node) bool {
	r.bad = false
	r.entry = projectEntry{line: n.Line, keys: r.entry.keys[:0], origins: []byte(anyOrigin)}
	r.entry.limit = limitSpec{events: defaultLimitEvents, window: defaultLimitWindow}
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

// id reads the id before the rest of a project, so that every fault can name the project.
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

func (r *entryReader) wrong(line int, err error) {
	r.bad = true
	r.fault(line, err)
}

// check reports an error of a field, if there is one.
func (r *entryReader) check(line int, field string, err error) {
	if err != nil {
		r.wrong(line, fmt.Errorf("%s %w", field, err))
	}
}

// fields hands over the fields of a mapping. A field without a value counts as left out.
func (r *entryReader) fields(n *conffile.Node, what string, known []string, each func(name string, value *conffile.Node)) {
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

// items hands over the items of a list.
func (r *entryReader) items(n *conffile.Node, field string, each func(i int, item *conffile.Node)) {
	if n.Kind != conffile.List {
		r.wrong(n.Line, fmt.Errorf("%s must be a list", field))
		return
	}
	for i := range n.Items {
		each(i, &n.Items[i])
	}
}

// shownName is as long as the name of a key may be to be repeated: keys that are made here are longer.
const shownName = 32

func (r *entryReader) key(i int, n *conffile.Node) {
	key := keyEntry{line: n.Line, name: strconv.Itoa(i + 1)}
	hasDigest := false
	r.fields(n, "a key", keyFields, func(field string, value *conffile.Node) {
		text, err := value.String()
		switch {
		case field == "name":
			r.check(value.Line, "key "+key.name+": name", err)
			if err == nil && text != "" && len(text) <= shownName {
				key.name = strconv.Quote(text)
			}
		case err != nil:
			hasDigest = true
			r.check(value.Line, "key "+key.name+": sha256", err)
		default:
			hasDigest = true
			if !readDigest(&key.digest, text) {
				r.wrong(value.Line, fmt.Errorf("key %s: sha256 must be 64 hex digits; `sluice keys hash` makes them of a key, which itself is never in this file", key.name))
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
			if events, err = value.Int(); err == nil && (events < 1 || events > maxLimitEvents) {
				err = fmt.Errorf("must be 1 to %d", maxLimitEvents)
			}
			spec.events = int(events)
		case "window":
			given = true
			spec.window, err = r.readWindow(value)
		case "retry_after":
			var text string
			if text, err = value.String(); err == nil && text != "window" && text != "exact" {
				err = errors.New("must be window or exact")
			}
			spec.exact = text == "exact"
		case "unlimited":
			unlimited, err = value.Bool()
		}
		r.check(value.Line, "limit."+field, err)
	})
	if unlimited {
		if given {
			r.wrong(n.Line, errors.New("limit: unlimited and a limit contradict each other"))
		}
		*spec = limitSpec{}
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
	case window < time.Second || window > maxLimitWindow:
		return 0, fmt.Errorf("must be 1s to %s", maxLimitWindow)
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
