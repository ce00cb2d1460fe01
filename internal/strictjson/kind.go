package strictjson

// Kind says what the members of an object mean. The caller numbers its kinds from 0 up.
type Kind uint8

// LearntKinds is the number of kinds whose order of members a Scanner learns: kinds below it are learnt, others are
// not.
const LearntKinds Kind = 8

// kindOther is the kind of an object whose members mean nothing.
const kindOther Kind = 255

// Field is a member that means something to the caller. The caller numbers its fields from 1 up, over all kinds.
type Field uint8

// NoField is the field of a member that means nothing.
const NoField Field = 0

func (s *Scanner) fieldOf(k Kind, name []byte) Field {
	if s.Fields == nil || k == kindOther {
		return NoField
	}
	return s.Fields(k, name)
}
