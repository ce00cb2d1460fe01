package strictjson

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// Number moves over the number at the current position. It checks the grammar only; the number may have any size.
func (s *Scanner) Number() {
	if s.Data[s.Pos] == '-' {
		s.Pos++
	}
	if s.Pos < len(s.Data) && s.Data[s.Pos] == '0' {
		s.Pos++ // a leading zero stands alone; a digit behind it is where a comma should be
	} else {
		s.digits()
	}
	if s.Pos < len(s.Data) && s.Data[s.Pos] == '.' {
		s.Pos++
		s.digits()
	}
	if s.Pos < len(s.Data) && s.Data[s.Pos]|0x20 == 'e' {
		s.Pos++
		if s.Pos < len(s.Data) && (s.Data[s.Pos] == '+' || s.Data[s.Pos] == '-') {
			s.Pos++
		}
		s.digits()
	}
}

// digits moves over one or more digits.
func (s *Scanner) digits() {
	start := s.Pos
	for s.Pos < len(s.Data) && isDigit(s.Data[s.Pos]) {
		s.Pos++
	}
	if s.Pos == start {
		s.Fail(faultNumber)
	}
}
