package event

func isDigitJSON(c byte) bool { return '0' <= c && c <= '9' }

// number moves over the number at the current position. Its size does not matter: it is never converted here.
func (s *scanner) number() {
	if s.data[s.pos] == '-' {
		s.pos++
	}
	if s.pos < len(s.data) && s.data[s.pos] == '0' {
		s.pos++ // a leading zero stands alone; a digit behind it is where a comma should be
	} else {
		s.digits()
	}
	if s.pos < len(s.data) && s.data[s.pos] == '.' {
		s.pos++
		s.digits()
	}
	if s.pos < len(s.data) && s.data[s.pos]|0x20 == 'e' {
		s.pos++
		if s.pos < len(s.data) && (s.data[s.pos] == '+' || s.data[s.pos] == '-') {
			s.pos++
		}
		s.digits()
	}
}

// digits moves over one digit or more.
func (s *scanner) digits() {
	start := s.pos
	for s.pos < len(s.data) && isDigitJSON(s.data[s.pos]) {
		s.pos++
	}
	if s.pos == start {
		s.fail(faultNumber)
	}
}
