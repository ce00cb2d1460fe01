package event

// DecodeBulk splits a bulk as SplitBulk does, and decodes its events as Decode does, in the same pass where that is
// possible: that an event is well-formed says where it ends. It calls each with every item, in order: its index, its bytes,
// and what was decoded of them or why nothing was, which is an *Error. raw aliases body; ev is good until each returns.
//
// It returns nil or an *Error that SplitBulk would return too. Such an error may come after each was called, any number of
// times: the caller then undoes what that did, because nothing of the bulk counts. SentAt is only known at the end.
// Items stays empty.
func DecodeBulk(body []byte, form Form, maxEventBytes int, into *Bulk, each func(i int, raw []byte, ev *Event, err error)) error {
	into.reset(body)
	into.each, into.decoder.MaxBytes = each, maxEventBytes
	err := into.decodeAll(body, form)
	into.release()
	if err == nil && into.count == 0 {
		err = errEmptyBulk()
	}
	if err != nil {
		return err
	}
	return nil
}

func (b *Bulk) decodeAll(body []byte, form Form) *Error {
	if b.scan.Peek() != '{' || form == FormNDJSON || form == FormJSON && b.beginsWithEvents(body) {
		return b.split(body, form)
	}
	// Whether this is one object or the first of several events is known at its end only.
	each := b.each
	b.each = nil
	err := b.split(body, form)
	b.each = each
	if err == nil {
		for _, item := range b.Items {
			b.decode(item)
		}
	}
	b.Items = b.Items[:0]
	return err
}

// beginsWithEvents reports whether the body is an object with nothing but sent_at before its array events.
func (b *Bulk) beginsWithEvents(body []byte) bool {
	s := &b.scan
	defer func() { s.Reset(body, emptied(s.Repairs)) }()
	for o := s.Object(kindBulk); s.Member(&o); s.Value() {
		switch o.Field {
		case fieldEvents:
			if s.Peek() == '[' {
				return true
			}
		case fieldSentAt:
		default:
			return false
		}
	}
	return false
}

// decode decodes one item whose end is known.
func (b *Bulk) decode(item []byte) {
	i := b.count
	b.count++
	if err := b.decoder.decode(item, &b.event); err != nil {
		b.each(i, item, &b.event, err)
		return
	}
	b.each(i, item, &b.event, nil)
}

// decodeHere decodes the item at the scanner's position and moves behind it, if it is a good event. If not, nothing has
// happened: the item's end must be looked for without its help. It never reads past the end that would be found then,
// because it agrees with skipItem about quotes and brackets for as long as it finds no fault; so that a bulk of bad items
// is still read in linear time.
func (b *Bulk) decodeHere() bool {
	s, d := &b.scan, &b.decoder
	if s.Peek() != '{' || b.count == MaxBulkEvents {
		return false
	}
	size, good := d.decodePrefix(s.Data[s.Pos:], &b.event)
	if !good {
		return false
	}
	raw := s.Data[s.Pos : s.Pos+size : s.Pos+size]
	s.Pos += size
	i := b.count
	b.count++
	b.each(i, raw, &b.event, nil)
	return true
}
