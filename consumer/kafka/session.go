package kafka

import "math"

// noSession is the epoch of a request that neither belongs to a session nor begins one.
const noSession = -1

// question is from where on a partition is read.
type question struct {
	partition int32
	offset    int64
}

// session is what a broker remembers of the partitions that a member reads from it (KIP-227). A request in a session
// names the partitions that are read from another offset on than before, and those that are not read for now; the
// answer names those that have something new. So both grow with what happens and not with the partitions.
//
// The zero value begins a session. A broker that has no room for one, or knows none, answers the id 0: then each
// request names all partitions.
type session struct {
	id    int32
	epoch int32           // of the next request; 0: that begins a session, in place of the one with the id
	known map[int32]int64 // by partition: the offset from which on the broker reads it
	spare map[int32]int64 // the memory of the map before
}

// next says what the next request names, and which partitions it takes out of the session. The request must be sent,
// and followed by goOn or end.
func (s *session) next(all []question) (named []question, forgotten []int32) {
	if s.epoch == 0 {
		clear(s.known)
	}
	if s.spare == nil {
		s.spare = make(map[int32]int64, len(all))
	}
	for _, q := range all {
		if offset, ok := s.known[q.partition]; !ok || offset != q.offset {
			named = append(named, q)
		}
		s.spare[q.partition] = q.offset
	}
	for partition := range s.known {
		if _, ok := s.spare[partition]; !ok {
			forgotten = append(forgotten, partition)
		}
	}
	s.known, s.spare = s.spare, s.known
	clear(s.spare)
	return named, forgotten
}

// goOn follows an answer with the session's id.
func (s *session) goOn(id int32) {
	switch {
	case id == 0:
		s.epoch = 0
	case s.epoch == math.MaxInt32:
		s.epoch = 1
	default:
		s.epoch++
	}
	s.id = id
}

// end has the next request begin a new session. After an error nobody knows what the broker remembers.
func (s *session) end() { s.epoch = 0 }
