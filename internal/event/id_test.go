package event

import (
	"encoding/hex"
	"testing"

	"github.com/google/uuid"
)

// TestIDsThereAndBack compares with the library.
func TestIDsThereAndBack(t *testing.T) {
	for range 1000 {
		want := uuid.New()
		var text [dashedLen]byte
		PutID(text[:], want)
		if string(text[:]) != want.String() {
			t.Errorf("%s was written as %s", want, text)
		}
		for _, form := range []string{want.String(), hex.EncodeToString(want[:])} {
			var got uuid.UUID
			if !parseID([]byte(form), &got) || got != want {
				t.Errorf("%s was read as %s", form, got)
			}
		}
	}
}
