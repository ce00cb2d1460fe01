package ingest

import (
	"crypto/sha256"

	"sluice/gateway/body"
	"sluice/internal/event"
)

// framed are the events of a submission that are more than a part of the body: many log records have one resource, and
// each event has a copy of it. A frame is kept once, and joined with its events when the records are made. So the
// memory of such a request is that of its records.
type framed struct {
	frames []frame
	hash   [sha256.Size]byte // of the body, see bodyHash
	hashed bool
	joined []byte       // the last event that Join made
	made   *body.Buffer // nil before Made, and after the records are made
	bytes  int          // of all framed events that were accepted
}

// frame is what stands around an event.
type frame struct {
	before [2][]byte
	after  string
}

// keepJoined is the largest event, in bytes, whose memory is kept for the next request.
const keepJoined = 64 << 10

// Frame adds what stands in front of events and behind them, and returns its number for Join and AcceptFramed. The
// bytes must stay as they are until the records are made: parts of the body and of Made do.
func (s *Submission) Frame(before, more []byte, after string) int {
	s.framed.frames = append(s.framed.frames, frame{before: [2][]byte{before, more}, after: after})
	return len(s.framed.frames) - 1
}

// FramedLen returns the size of an event in its frame, in bytes.
func (s *Submission) FramedLen(number int, raw []byte) int {
	f := &s.framed.frames[number]
	return len(f.before[0]) + len(f.before[1]) + len(raw) + len(f.after)
}

// Join returns an event in its frame. The bytes are good until the next call.
func (s *Submission) Join(number int, raw []byte) []byte {
	f := &s.framed.frames[number]
	b := append(s.framed.joined[:0], f.before[0]...)
	b = append(b, f.before[1]...)
	b = append(b, raw...)
	b = append(b, f.after...)
	s.framed.joined = b
	return b
}

// AcceptFramed adds a valid event, as Accept does, that is raw in a frame. Its id is the one that the client gave the
// event in some way, see EventID. Otherwise it is made of the whole body and the event's index: the client must send
// all of the request again or nothing.
func (s *Submission) AcceptFramed(number int, raw []byte, ev *event.Event) {
	index := len(s.items)
	id, given := s.givenID(ev, index)
	if !given {
		if !s.framed.hashed {
			s.framed.hash, s.framed.hashed = bodyHash(s.project.id, s.Body()), true
		}
		id = bodyID(&s.framed.hash, index)
	}
	s.Accept(raw, id)
	s.items[len(s.items)-1].frame = int32(number + 1) // at most MaxBulkEvents frames have an event
	s.framed.bytes += s.FramedLen(number, raw)
}

// MaxFramedBytes is how many bytes the framed events of a request may have together: eight bulks. Real requests stay
// far below, and one client cannot take all memory.
func (s *Submission) MaxFramedBytes() int {
	most := 8 * s.in.bulkLimit.bytes
	if budget := s.in.bodies.Budget(); budget > 0 {
		most = min(most, int(budget/2))
	}
	return most
}

// Made returns a buffer for what the protocol makes of the body. Its memory counts like the body's, and it is as good
// as the body.
func (s *Submission) Made() *body.Buffer {
	if s.framed.made == nil {
		s.framed.made = s.in.bodies.Buffer()
	}
	return s.framed.made
}

// ReserveFramed counts the memory of the records of all framed events, before they are made.
func (s *Submission) ReserveFramed() *Problem {
	return s.bodyLimit().problem(s.Made().Reserve(s.framed.bytes))
}

// MadeProblem maps an error of the buffer Made to an answer.
func (s *Submission) MadeProblem(err error) *Problem { return s.bodyLimit().problem(err) }

// bytesOf returns the bytes of an item's record.
func (s *Submission) bytesOf(it *Item) []byte {
	if it.frame == 0 {
		return it.raw
	}
	return s.Join(int(it.frame-1), it.raw)
}

// release gives back the memory that other requests may wait for.
func (f *framed) release() {
	if f.made != nil {
		f.made.Release()
		f.made = nil
	}
}

// emptied returns the memory for the next request.
func (f *framed) emptied() framed {
	clear(f.frames)
	if cap(f.joined) > keepJoined {
		f.joined = nil
	}
	return framed{frames: f.frames[:0], joined: f.joined[:0]}
}
