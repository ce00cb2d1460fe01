package event

// items splits the array at the scanner's position.
func (b *Bulk) items() *Error {
	s := &b.scan
	for a := s.array(); s.item(&a); {
		s.peek()
		start := s.pos
		if b.each != nil && b.decodeHere() {
			continue
		}
		s.skip()
		if s.fault != "" {
			return nil
		}
		if err := b.add(s.data[start:s.pos:s.pos]); err != nil {
			return err
		}
	}
	return nil
}
