package event

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
