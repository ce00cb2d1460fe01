package ingest

import (
	"bytes"

	"sluice/gateway/body"
)

// keyInBody reads the first bytes of the body and returns the key in them. Nobody knows yet who sends: no more of the
// body is read, and a request without a valid key leaves nothing in memory. readBodyWithKey reads on from there.
func (s *Submission) keyInBody() (Key, *Problem) {
	s.stamp.envelope.ReceivedAt = s.in.now()
	s.body = body.GetBuffer()
	limit := s.bodyLimit()
	if err := limit.reader.Begin(s.Ctx, s.body); err != nil {
		return Key{}, limit.problem(err)
	}
	scratch := body.GetBuffer()
	defer scratch.Release()
	prefix, err := limit.reader.Prefix(s.Ctx, s.body, scratch)
	if err != nil {
		return Key{}, limit.problem(err)
	}
	return NewKey(bytes.Clone(s.bodyKey(prefix))), nil
}

// bodyKey returns the key in the first bytes of the body, or nothing.
func (s *Submission) bodyKey(text []byte) []byte {
	return bytes.TrimSpace(s.protocol.BodyKey(text[:min(len(text), body.PrefixBytes)]))
}

// namedByBody reports whether only the body can say whose request this is.
func (s *Submission) namedByBody() bool {
	if s.protocol.BodyKey == nil {
		return false
	}
	key, p := s.protocol.Key(s.Ctx)
	return p == nil && !key.Given()
}

// readBodyWithKey reads what keyInBody has left of the body, or all of it, and decompresses it. It refuses a body that
// has another key than the head.
func (s *Submission) readBodyWithKey() *Problem {
	wire := s.body
	if wire == nil {
		wire = body.GetBuffer()
	}
	limit := s.bodyLimit()
	var err error
	if s.body, err = limit.reader.Rest(s.Ctx, wire); err != nil {
		return limit.problem(err)
	}
	if key := s.bodyKey(s.Body()); len(key) > 0 && !bytes.Equal(key, s.key) {
		return errConflictingKeys
	}
	return nil
}
