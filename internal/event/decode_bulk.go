package event

// DecodeBulk splits a bulk as SplitBulk does and decodes its events as Decode does, in one pass where possible:
// decoding a well-formed event shows where the event ends.
//
// It calls each for every item, in order, with the item's index, its bytes, and either the decoded event or an
// *Error. raw aliases body. ev is valid until each returns.
//
// DecodeBulk returns nil or the *Error that SplitBulk would return. Such an error may come after any number of calls
// of each. Then nothing of the bulk counts, and the caller undoes what these calls did. SentAt is valid only at the
// end. Items stays empty.
func DecodeBulk(
	body []byte, form Form, maxEventBytes int, into *Bulk, each func(i int, raw []byte, ev *Event, err error),
) error {
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
	// Only the end of the object shows whether it is the bulk or the first of several events.
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

// beginsWithEvents reports whether the body is an object in which only sent_at comes before the array events.
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

// decodeHere decodes the item at the scanner's position and moves to its end, if the item is a valid event. Otherwise
// it changes nothing, and the caller searches for the end of the item.
//
// decodeHere never reads past the end that this search finds: until it meets a fault it agrees with Scanner.Skip about
// quotes and brackets. A bulk of invalid items is therefore read in linear time.
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

// items splits the array at the scanner's position.
func (b *Bulk) items() *Error {
	s := &b.scan
	for a := s.Array(); s.Item(&a); {
		s.Peek()
		start := s.Pos
		if b.each != nil && b.decodeHere() {
			continue
		}
		s.Skip()
		if s.Fault != "" {
			return nil
		}
		if err := b.add(s.Data[start:s.Pos:s.Pos]); err != nil {
			return err
		}
	}
	return nil
}
