package schema

import (
	"fmt"
	"strconv"
	"strings"

	"sluice/consumer/clickhouse"
)

// table compares a table with the schema. What the table has besides is not compared. A table of another engine is left
// alone.
func (c *comparison) table(w wanted, o found) {
	if !c.keys(w, o) {
		return
	}
	c.columns(w, o)
	c.removed(w, o)
	c.comments(w, o)
	if w.like == "" {
		c.indices(w, o)
	}
	c.settings(w, o)
}

// alter begins a statement that changes a table.
func (c *comparison) alter(table string) string { return "ALTER TABLE " + table + c.OnCluster() + " " }

// differs reports a difference, if there is one.
func (c *comparison) differs(what, have, wanted string, serious bool) {
	if have != wanted {
		c.find(finding{stateDiffers, what, fmt.Sprintf("it is %s, not %s", shown(have), shown(wanted)), serious})
	}
}

func shown(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}

// The keys of events_raw in earlier versions. They cannot be changed in a table that exists, and give the same answers.
const (
	earlierPartition = "toYYYYMM(id_time)"
	earlierOrder     = "(toYYYYMM(id_time), project_id, toStartOfMinute(id_time), UUIDToNum(event_id), event_id)"
)

// keys compares what cannot be changed in an existing table. It reports whether the table has the wanted engine.
func (c *comparison) keys(w wanted, o found) bool {
	name, arguments := o.definition.engine()
	if c.Cloud {
		name = strings.TrimPrefix(name, "Shared")
	}
	wantedName, wantedArguments := w.engine()
	have, wanted := name+"("+arguments+")", wantedName+"("+wantedArguments+")"
	c.differs("engine of "+w.name, have, wanted, true)
	if o.clauses["PARTITION"] == earlierPartition && o.clauses["ORDER"] == earlierOrder &&
		w.clauses["PARTITION"] == clickhouse.ByDay {
		detail := "by month, as earlier versions made it: correct as well, and slower to query"
		c.find(finding{state: stateThere, what: "partition key of " + w.name, detail: detail})
		return have == wanted
	}
	c.differs("partition key of "+w.name, o.clauses["PARTITION"], w.clauses["PARTITION"], true)
	c.differs("sorting key of "+w.name, o.clauses["ORDER"], w.clauses["ORDER"], true)
	return have == wanted
}

func byName(parts []part, name string) (part, bool) {
	for _, p := range parts {
		if p.name == name {
			return p, true
		}
	}
	return part{}, false
}

// columns compares the columns, and adds the missing ones where the schema has them.
func (c *comparison) columns(w wanted, o found) {
	place := " FIRST"
	for _, column := range w.columns {
		what := "column " + column.name + " of " + w.name
		if have, ok := byName(o.columns, column.name); ok {
			c.differs(what, strings.TrimSpace(have.text+" "+have.defaultValue),
				strings.TrimSpace(column.text+" "+column.defaultValue), true)
			if column.codec != "" && have.text == column.text {
				c.differs("codec of "+what, have.codec, column.codec, false)
			}
		} else {
			c.find(finding{state: stateMissing, what: what})
			c.do(change{
				statement: c.alter(w.name) + "ADD COLUMN IF NOT EXISTS " + column.Column() + place,
				done:      "added " + what + ": existing rows have its default",
				custom:    column.isCustom(),
			})
		}
		place = " AFTER " + quotedName(column.name)
	}
}

// indices compares the skipping indices. A missing one is added and built for the existing rows.
func (c *comparison) indices(w wanted, o found) {
	for _, index := range w.indices {
		what := "index " + index.name + " of " + w.name
		if have, ok := byName(o.indices, index.name); ok {
			c.differs(what, have.text, index.text, false)
			continue
		}
		c.find(finding{state: stateMissing, what: what})
		c.do(change{
			statement: c.alter(w.name) + "ADD INDEX IF NOT EXISTS " + index.name + " " + index.text,
			done:      "added " + what,
		})
		c.do(change{
			statement: c.alter(w.name) + "MATERIALIZE INDEX IF EXISTS " + index.name,
			done:      what + " is being built for existing rows",
		})
	}
}

// settings compares the table's settings, and sets the ones that have no value.
func (c *comparison) settings(w wanted, o found) {
	for _, setting := range w.settings() {
		what := "setting " + setting.name + " of " + w.name
		if have, ok := byName(o.definition.settings(), setting.name); ok {
			c.differs(what, have.text, setting.text, endangers(setting.name, have.text, setting.text))
			continue
		}
		c.find(finding{state: stateMissing, what: what})
		c.do(change{
			statement: c.alter(w.name) + "MODIFY SETTING " + setting.name + " = " + setting.text,
			done:      "set " + setting.name + " = " + setting.text + " for " + w.name,
		})
	}
}

// endangers reports whether a table's setting with another value than ours may lose or double events. Without fsync an
// acknowledged block may be lost in a power failure. With a smaller window the table may forget the token of a block
// that is sent again.
func endangers(name, have, wanted string) bool {
	if strings.Contains(name, "deduplication_window") {
		h, errH := strconv.Atoi(have)
		w, errW := strconv.Atoi(wanted)
		return errH != nil || errW != nil || h < w
	}
	return strings.HasPrefix(name, "fsync_")
}
