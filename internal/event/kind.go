package event

// kind is what an object's members mean. The caller numbers its kinds from 0.
type kind uint8

// learntKinds is how many kinds the scanner learns the order of members of: those from 0 up to it.
const learntKinds kind = 8

// kindOther is an object none of whose members means anything.
const kindOther kind = 255

// field is a member that means something. The caller numbers its fields from 1.
type field uint8

// noField is a member that means nothing.
const noField field = 0

func (s *scanner) fieldOf(k kind, name []byte) field {
	if s.fields == nil || k == kindOther {
		return noField
	}
	return s.fields(k, name)
}
