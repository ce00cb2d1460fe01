package event

// tags reads the event's tags, written as an object or as an array of pairs. All are checked; MaxTags are kept.
func (d *Decoder) tags(ev *Event) {
	switch d.peek() {
	case '{':
		o := d.object(kindTags)
		for d.member(&o) {
			if value := d.tagValue(); len(ev.Tags) < MaxTags {
				ev.Tags = append(ev.Tags, Tag{d.name(&o), value})
			}
		}
	case '[':
		for a := d.array(); d.item(&a); {
			d.tagPair(ev)
		}
	default:
		d.wrongType("tags", "an object or an array of pairs")
	}
}

func (d *Decoder) tagPair(ev *Event) {
	var tag Tag
	n, good := 0, d.peek() == '['
	if !good {
		d.value()
	} else {
		for a := d.array(); d.item(&a); n++ {
			switch {
			case n == 0 && d.peek() == '"':
				tag.Key = d.text()
			case n == 1:
				tag.Value = d.tagValue()
			default:
				good = false
				d.value()
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

// hasTag looks for a key among the pairs so far; an object cannot have one twice.
func hasTag(tags []Tag, key Text) bool {
	for i := range tags {
		if tags[i].Key.equal(key) {
			return true
		}
	}
	return false
}

// tagValue reads a value of any type: a string's content, or else the JSON text.
func (d *Decoder) tagValue() Text {
	if d.peek() == '"' {
		return d.text()
	}
	before := len(d.repairs)
	t := Text{raw: d.raw()}
	if len(d.repairs) > before {
		t.form = faultJSON
	}
	return t
}
