package event

// tags reads the event's tags, written as an object or as an array of pairs. All are checked; MaxTags are kept.
func (d *Decoder) tags(ev *Event) {
	switch d.scan.peek() {
	case '{':
		o := d.scan.object(kindTags)
		for d.scan.member(&o) {
			if value := d.tagValue(); len(ev.Tags) < MaxTags {
				ev.Tags = append(ev.Tags, Tag{d.scan.name(&o), value})
			}
		}
	case '[':
		for a := d.scan.array(); d.scan.item(&a); {
			d.tagPair(ev)
		}
	default:
		d.wrongType("tags", "an object or an array of pairs")
	}
}

func (d *Decoder) tagPair(ev *Event) {
	var tag Tag
	n, good := 0, d.scan.peek() == '['
	if !good {
		d.scan.value()
	} else {
		for a := d.scan.array(); d.scan.item(&a); n++ {
			switch {
			case n == 0 && d.scan.peek() == '"':
				tag.Key = d.scan.text()
			case n == 1:
				tag.Value = d.tagValue()
			default:
				good = false
				d.scan.value()
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
	if d.scan.peek() == '"' {
		return d.scan.text()
	}
	before := len(d.scan.repairs)
	raw := d.scan.raw()
	if len(d.scan.repairs) > before {
		return unrepairedText(raw)
	}
	return plainText(raw)
}
