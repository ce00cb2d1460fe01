package realistic

import (
	"encoding/hex"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// scene is what an event's fields are made of.
type scene struct {
	located
	service     *service
	release     int
	person      person
	known       bool // the sender knows the user
	environment string
	at          int64 // when it happened, Unix milliseconds
}

// ID returns the id of an event; the nil UUID if it has none.
func (w *World) ID(index int64) uuid.UUID {
	s := w.scene(index)
	switch {
	case s.hasNoID():
		return uuid.UUID{}
	case s.step.kind == errorStep:
		return s.uuid(4, 0)
	default:
		return s.uuid(7, s.at+s.skew().Milliseconds())
	}
}

// scene sets the scene of an event. Everything of a session is the same in all its events: user, releases, environment.
func (w *World) scene(index int64) scene {
	l := w.locate(index)
	s := scene{located: l, service: w.services[l.step.service], at: l.millis()}
	r := prng(l.session ^ 0x7e55)
	s.person = w.people.pick(l.start, &r)
	switch u := r.unit(); {
	case u < 0.9:
		s.environment = "production"
	case u < 0.97:
		s.environment = "staging"
	default:
		s.environment = "canary"
	}
	switch l.kind {
	case journey:
		s.known = true
	case burst:
		s.known = r.chance(0.3) && l.step.service != worker
	case logLine:
	}
	rollout := prng(l.session ^ uint64(l.step.service)<<40)
	s.release = s.service.releaseAt(l.start, &rollout)
	return s
}

// build appends the JSON of an event, and notes the facts if f is not nil.
func (w *World) build(buf []byte, index int64, f *Facts) []byte {
	s := w.scene(index)
	if f != nil {
		f.Environment, f.Millis, f.Skew = s.environment, s.at, s.skew()
	}
	buf = append(buf, '{')
	buf = s.appendIdentity(buf, f)
	switch s.step.kind {
	case viewStep, trackStep:
		buf = s.appendProduct(buf, f)
	case apiStep:
		buf = s.appendAPI(buf, f)
	case logStep:
		buf = s.appendLog(buf, f)
	case errorStep:
		buf = s.appendError(buf, f)
	}
	return append(w.appendTags(buf, &s), '}')
}

// appendIdentity appends id and time as the event's sender writes them.
func (s *scene) appendIdentity(buf []byte, f *Facts) []byte {
	shown := s.at + s.skew().Milliseconds()
	timed := true
	switch {
	case s.hasNoID():
	case s.step.kind == errorStep:
		// Sentry's SDKs send a UUIDv4 without dashes.
		id := s.uuid(4, 0)
		if f != nil {
			f.ID = id
		}
		buf = append(buf, `"event_id":"`...)
		buf = hex.AppendEncode(buf, id[:])
		buf = append(buf, `",`...)
	default:
		id := s.uuid(7, shown)
		if f != nil {
			f.ID = id
		}
		buf = append(buf, `"event_id":"`...)
		buf = appendUUID(buf, id)
		buf = append(buf, `",`...)
		timed = s.step.kind != apiStep || s.session>>5%4 != 0 // the id has the time too
	}
	if !timed {
		return buf
	}
	buf = append(buf, `"timestamp":`...)
	buf = s.appendTime(buf, shown)
	return append(buf, ',')
}

// appendTime appends the event's time as its sender writes it.
func (s *scene) appendTime(buf []byte, millis int64) []byte {
	layout := "2006-01-02T15:04:05.000Z07:00"
	zone := time.UTC
	switch {
	case s.step.kind == viewStep, s.step.kind == trackStep:
		return strconv.AppendInt(buf, millis, 10)
	case s.step.kind == logStep && s.hasNoID():
		zone = zones[s.session>>12%uint64(len(zones))]
	case s.step.service == web, s.step.service == storefront:
		buf = strconv.AppendInt(buf, millis/1000, 10)
		buf = append(buf, '.')
		return appendPadded(buf, uint64(millis%1000), 3)
	case s.step.service == checkout, s.step.service == catalog, s.step.service == worker:
		layout = "2006-01-02T15:04:05"
	}
	at := time.UnixMilli(millis).In(zone)
	buf = append(buf, '"')
	buf = at.AppendFormat(buf, layout)
	if len(layout) < 20 {
		buf = append(buf, '.')
		buf = appendPadded(buf, uint64(millis%1000), 3)
		buf = appendPadded(buf, s.session>>7%1000, 3) // microseconds, of which the column keeps none
		if s.step.service == checkout {
			buf = appendPadded(buf, s.session>>17%1000, 3)
		}
		buf = append(buf, 'Z')
	}
	return append(buf, '"')
}

var zones = []*time.Location{time.FixedZone("CET", 3600), time.FixedZone("EET", 7200), time.FixedZone("EST", -5*3600)}

// uuid makes the event's id: version 4, or 7 with the time.
func (s *scene) uuid(version byte, millis int64) (id uuid.UUID) {
	r := prng(s.session ^ uint64(s.index)*0xd6e8feb86659fd93)
	head, tail := r.next(), r.next()
	if version == 7 {
		head = uint64(millis)<<16 | head&0xffff
	}
	for i := range 8 {
		id[i], id[8+i] = byte(head>>(56-8*i)), byte(tail>>(56-8*i))
	}
	id[6] = id[6]&0x0f | version<<4
	id[8] = id[8]&0x3f | 0x80
	return id
}

// appendTags appends the last field.
func (w *World) appendTags(buf []byte, s *scene) []byte {
	buf = append(buf, `,"tags":{"service":"`...)
	buf = append(buf, s.service.name...)
	if s.step.service == web {
		buf = append(buf, `","browser":"`...)
		buf = append(buf, s.browser().name...)
		buf = append(buf, `","country":"`...)
		buf = append(buf, s.person.country()...)
	} else {
		buf = append(buf, `","region":"`...)
		buf = append(buf, regions[s.session>>9%uint64(len(regions))]...)
	}
	if s.known {
		buf = append(buf, `","plan":"`...)
		buf = append(buf, s.person.plan()...)
	}
	buf = append(buf, `","`+RunTag+`":"`...)
	buf = append(buf, w.run...)
	buf = append(buf, `","`+IndexTag+`":"`...)
	buf = strconv.AppendInt(buf, s.index, 10)
	return append(buf, `"}`...)
}

var regions = []string{"eu-central-1", "eu-central-1", "eu-west-1", "us-east-1"}

// appendSource appends the fields that say where an event comes from.
func (s *scene) appendSource(buf []byte) []byte {
	buf = append(buf, `"platform":"`...)
	buf = append(buf, s.service.platform...)
	buf = append(buf, `","environment":"`...)
	buf = append(buf, s.environment...)
	buf = append(buf, `","release":"`...)
	buf = append(buf, s.service.releases[s.release].name...)
	if s.step.service != web {
		buf = append(buf, `","server_name":"`...)
		buf = append(buf, s.service.servers[s.session>>13%uint64(len(s.service.servers))]...)
	}
	buf = append(buf, `",`...)
	if s.known {
		buf = append(buf, `"user":`...)
		buf = s.person.appendUser(buf)
		buf = append(buf, ',')
	}
	if s.step.kind == logStep {
		return buf
	}
	buf = append(buf, `"trace_id":"`...)
	trace := prng(mix(s.session) ^ uint64(s.step.trace)<<50)
	buf = appendHex16(appendHex16(buf, trace.next()), trace.next())
	return append(buf, `",`...)
}

func appendPadded(buf []byte, n uint64, digits int) []byte {
	for at := digits - 1; at >= 0; at-- {
		power := uint64(1)
		for range at {
			power *= 10
		}
		buf = append(buf, byte('0'+n/power%10))
	}
	return buf
}

func appendHex16(buf []byte, x uint64) []byte {
	var b [8]byte
	for i := range b {
		b[i] = byte(x >> (56 - 8*i))
	}
	return hex.AppendEncode(buf, b[:])
}

func appendUUID(buf []byte, id uuid.UUID) []byte {
	buf = hex.AppendEncode(buf, id[:4])
	for _, part := range [][]byte{id[4:6], id[6:8], id[8:10], id[10:]} {
		buf = append(buf, '-')
		buf = hex.AppendEncode(buf, part)
	}
	return buf
}

// append renders a template: as JSON, or as plain text.
func (t template) append(buf []byte, r *prng, plain bool) []byte {
	for i := range t {
		if plain {
			buf = append(buf, t[i].stored...)
		} else {
			buf = append(buf, t[i].sent...)
		}
		switch t[i].place {
		case 'n':
			buf = strconv.AppendInt(buf, int64(r.below(1000)+1), 10)
		case 'd':
			buf = strconv.AppendInt(buf, int64(20*r.tail()*3), 10)
		case 'x':
			buf = appendHex16(append(buf, "0x"...), r.next())
		case 'u':
			var id uuid.UUID
			a, b := r.next(), r.next()
			for i := range 8 {
				id[i], id[8+i] = byte(a>>(8*i)), byte(b>>(8*i))
			}
			buf = appendUUID(buf, id)
		}
	}
	return buf
}
