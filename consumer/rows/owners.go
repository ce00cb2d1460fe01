package rows

import (
	"encoding/binary"
	"iter"

	"sluice/internal/erasure"
)

// Owner is whose event a row is, and in which format it came. The texts are good until the block changes; they are
// empty if there is none.
type Owner struct{ Project, User, Email, Format []byte }

// Owners goes through the rows with their owners.
func (b *Block) Owners() iter.Seq2[int, Owner] {
	return func(yield func(int, Owner) bool) {
		project, user, email := walkOf(&b.texts[projectID]), walkOf(&b.texts[userID]), walkOf(&b.texts[userEmail])
		format := walkOf(&b.texts[format])
		for row := range b.Rows() {
			o := Owner{Project: project.next(), User: user.next(), Email: email.next(), Format: format.next()}
			if !yield(row, o) {
				return
			}
		}
	}
}

// walk goes through the strings of a column.
type walk struct {
	rest []byte
	left int
}

func walkOf(c *textColumn) walk { return walk{c.buf, c.count - c.absent} }

func (w *walk) next() []byte {
	if w.left == 0 {
		return nil
	}
	n, size := binary.Uvarint(w.rest)
	end := size + int(n) // written by append
	text := w.rest[size:end]
	w.rest, w.left = w.rest[end:], w.left-1
	return text
}

// TimesOf returns the times of a row.
func (b *Block) TimesOf(row int) erasure.Times {
	return erasure.Times{
		Received: int64(b.receivedAt.Data[row]), Timestamp: int64(b.timestamp.Data[row]),
		Client: int64(b.client.Data[row]), ID: int64(b.idTime.Data[row]) * 1000,
		Adjusted: b.adjusted[row], V7: erasure.IsV7(b.eventID[row]),
	}
}
