package event

import "sluice/internal/strictjson"

// tags reads the event's tags, which are an object or an array of pairs. It checks all of them and keeps MaxTags.
func (d *Decoder) tags(ev *Event) {
	switch d.scan.Peek() {
	case '{':
		o := d.scan.Object(kindTags)
		for d.scan.Member(&o) {
			if value := d.tagValue(); len(ev.Tags) < MaxTags {
				ev.Tags = append(ev.Tags, Tag{d.scan.Name(&o), value})
			}
		}
	case '[':
		for a := d.scan.Array(); d.scan.Item(&a); {
			d.tagPair(ev)
		}
	default:
		d.wrongType("tags", "an object or an array of pairs")
	}
}

func (d *Decoder) tagPair(ev *Event) {
	var tag Tag
	n, good := 0, d.scan.Peek() == '['
	if !good {
		d.scan.Value()
	} else {
		for a := d.scan.Array(); d.scan.Item(&a); n++ {
			switch {
			case n == 0 && d.scan.Peek() == '"':
				tag.Key = d.scan.Text()
			case n == 1:
				tag.Value = d.tagValue()
			default:
				good = false
				d.scan.Value()
			}
		}
	}
	if !good || n != 2 {
		d.refuse("tags", "tags must be an object or an array of pairs, which begin with a string.")
		return
	}
	if len(ev.Tags) < MaxTags && !hasTag(ev.Tags, tag.Key) {
		ev.Tags = append(ev.Tags, tag)
	}
}

// hasTag reports whether a key is among the pairs so far. In an object the scanner refuses a key that comes twice.
func hasTag(tags []Tag, key Text) bool {
	for i := range tags {
		if tags[i].Key.Equal(key) {
			return true
		}
	}
	return false
}

// tagValue reads a value of any type. Of a string it returns the content, of any other value the JSON text.
func (d *Decoder) tagValue() Text {
	if d.scan.Peek() == '"' {
		return d.scan.Text()
	}
	before := len(d.scan.Repairs)
	raw := d.scan.Raw()
	if len(d.scan.Repairs) > before {
		return strictjson.Unrepaired(raw)
	}
	return strictjson.Verbatim(raw)
}
