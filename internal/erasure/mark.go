package erasure

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"sluice/internal/event"
)

// Kind is what an erasure goes by.
type Kind string

// The kinds.
const (
	Project Kind = "project" // all events of a project
	User    Kind = "user"    // those whose user_id is the value
	Email   Kind = "email"   // those whose user_email is the value, in any case of the letters A to Z
)

// SaltBytes and DigestBytes are the sizes of a mark's salt and digest.
const (
	SaltBytes   = 16
	DigestBytes = sha256.Size
)

// Salt makes digests of different installations different.
type Salt [SaltBytes]byte

// NewSalt returns a random salt.
func NewSalt() Salt {
	var s Salt
	_, _ = rand.Read(s[:]) // crypto/rand never fails: it ends the process
	return s
}

// Digest stands for a user's id or address in a project.
type Digest [DigestBytes]byte

// Mark is one erasure.
type Mark struct {
	ID      uuid.UUID
	Project string
	Kind    Kind
	Salt    Salt
	Digest  Digest // zero for Project
	// At is the time of the erasure, to the millisecond.
	At time.Time
	// Doubt is how long after At an event is covered that does not tell when it happened.
	Doubt time.Duration
}

// NewMark returns the mark of an erasure. value is the user's id or address; it is not used for Project.
func NewMark(project string, kind Kind, value string, salt Salt, at time.Time, doubt time.Duration) Mark {
	m := Mark{
		ID: uuid.New(), Project: project, Kind: kind, Salt: salt, At: at.UTC().Truncate(time.Millisecond), Doubt: doubt,
	}
	if kind != Project {
		m.Digest = newHasher().digest(salt, project, kind, []byte(value))
	}
	return m
}

// hasher makes digests. It reuses its memory, and is not safe for concurrent use.
type hasher struct{ text []byte }

func newHasher() *hasher { return &hasher{} }

// digest is the SHA-256 of the salt, the kind, the project and the value, with a zero byte between the texts. An
// address is taken in lower case, as ClickHouse's lower() writes it.
func (h *hasher) digest(salt Salt, project string, kind Kind, value []byte) Digest {
	b := append(h.text[:0], salt[:]...)
	b = append(append(b, kind...), 0)
	b = append(append(b, project...), 0)
	from := len(b)
	b = append(b, value...)
	if kind == Email {
		for i, c := range b[from:] {
			if 'A' <= c && c <= 'Z' {
				b[from+i] = c + ('a' - 'A')
			}
		}
	}
	h.text = b
	return sha256.Sum256(b)
}

// String writes a mark as Parse reads it: one line of words. It is how the consumer gets marks from ClickHouse.
func (m Mark) String() string {
	return strings.Join([]string{
		m.ID.String(), m.Project, string(m.Kind), hex.EncodeToString(m.Salt[:]), hex.EncodeToString(m.Digest[:]),
		strconv.FormatInt(m.At.UnixMilli(), 10), strconv.FormatInt(int64(m.Doubt/time.Second), 10),
	}, " ")
}

// TextOf is the expression of ClickHouse that writes a row of the table erasures as Parse reads it.
const TextOf = "concat(toString(id), ' ', project_id, ' ', kind, ' ', lower(hex(salt)), ' ', lower(hex(digest)), ' ', " +
	"toString(toUnixTimestamp64Milli(erased_at)), ' ', toString(doubt_seconds))"

var errMark = errors.New("not an erasure")

// Parse reads a mark as String writes it.
func Parse(text string) (m Mark, err error) {
	words := strings.Split(text, " ")
	if len(words) != 7 {
		return m, fmt.Errorf("%w: %d words", errMark, len(words))
	}
	m.Project, m.Kind = words[1], Kind(words[2])
	if m.ID, err = uuid.Parse(words[0]); err != nil {
		return m, fmt.Errorf("%w: id", errMark)
	}
	if !event.ValidProjectID(m.Project) || !slices.Contains([]Kind{Project, User, Email}, m.Kind) {
		return m, fmt.Errorf("%w: project or kind", errMark)
	}
	if err := m.Salt.Set(words[3]); err != nil {
		return m, err
	}
	digest, err := hex.DecodeString(words[4])
	if err != nil || len(digest) != DigestBytes {
		return m, fmt.Errorf("%w: digest", errMark)
	}
	m.Digest = Digest(digest)
	at, err1 := strconv.ParseInt(words[5], 10, 64)
	doubt, err2 := strconv.ParseInt(words[6], 10, 64)
	if err1 != nil || err2 != nil || doubt < 0 || doubt > int64(longestDoubt/time.Second) {
		return m, fmt.Errorf("%w: times", errMark)
	}
	m.At, m.Doubt = time.UnixMilli(at).UTC(), time.Duration(doubt)*time.Second
	return m, nil
}

// longestDoubt bounds Mark.Doubt.
const longestDoubt = 100 * 365 * 24 * time.Hour

// Set reads a salt in hexadecimal.
func (s *Salt) Set(text string) error {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != SaltBytes {
		return fmt.Errorf("%w: salt", errMark)
	}
	*s = Salt(b)
	return nil
}
