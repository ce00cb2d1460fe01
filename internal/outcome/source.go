package outcome

import (
	"crypto/sha256"

	"github.com/google/uuid"
)

// SourceOf makes the source of a name, the same each time: a UUIDv8 of the name's SHA-256. The name is a range's token,
// or a record's topic, partition and offset.
func SourceOf(name string) uuid.UUID {
	sum := sha256.Sum256([]byte(name))
	id := uuid.UUID(sum[:16])
	id[6], id[8] = id[6]&0x0F|0x80, id[8]&0x3F|0x80 // RFC 9562, section 5.8
	return id
}
