package realistic

import "time"

// chunk is how many consecutive indexes are divided into sessions together. To find an event, the sessions of its chunk
// are planned again from the first.
const chunk = 64

// maxSteps bounds the events of a session.
const maxSteps = 26

type sessionKind uint8

const (
	journey sessionKind = iota // of a user through the shop
	burst                      // one error, one or a few times
	logLine                    // a line of a service's log
)

type stepKind uint8

const (
	viewStep  stepKind = iota // a page is shown
	trackStep                 // a product event
	apiStep                   // a service logs a request
	errorStep
	logStep
)

// step is one event of a session.
type step struct {
	kind    stepKind
	page    page
	service serviceNo
	trace   uint8 // steps of one page share a trace
	at      int32 // milliseconds after the session's start
}

// located is an event's place: its session and its step.
type located struct {
	index   int64
	session uint64 // random number of the session
	kind    sessionKind
	start   int64 // of the session, Unix milliseconds
	step    step
	number  int // of the step in its session
	right   bool
	r       prng
}

// locate finds the session and the step of an event.
func (w *World) locate(index int64) located {
	first := index - index%chunk
	for at := first; ; {
		seed := mix(w.key ^ mix(uint64(at)+1))
		r := prng(seed)
		var steps [maxSteps]step
		kind, n := plan(&r, &steps)
		n = min(n, int(first+chunk-at))
		if index >= at+int64(n) {
			at += int64(n)
			continue
		}
		within := at % w.events
		start := w.rhythm.at((float64(within) + r.unit()) / float64(w.events))
		if last := int64(steps[n-1].at); start+last > w.until {
			start = w.until - last
		}
		number := int(index - at)
		return located{
			index: index, session: seed, kind: kind, start: start, step: steps[number], number: number,
			right: w.right, r: prng(mix(seed + uint64(number)*0x9e3779b97f4a7c15)),
		}
	}
}

// millis is when the event happened.
func (l *located) millis() int64 { return l.start + int64(l.step.at) }

// hasNoID: shippers of log lines send no ids.
func (l *located) hasNoID() bool {
	return l.step.kind == logStep && l.session>>3%2 == 0 || l.step.kind == apiStep && l.session>>3%8 == 0
}

// skews are clocks that are wrong.
var skews = [...]time.Duration{-3*time.Hour - 12*time.Minute, 47 * time.Minute, 25 * time.Hour, -9 * time.Minute}

// skew is how far the sender's clock is ahead: one browser in forty is wrong.
func (l *located) skew() time.Duration {
	if l.right || l.kind != journey || l.step.service != web || l.session>>20%40 != 0 {
		return 0
	}
	return skews[l.session>>30%uint64(len(skews))]
}

// plan decides what a session consists of.
func plan(r *prng, steps *[maxSteps]step) (sessionKind, int) {
	switch u := r.unit(); {
	case u < 0.13:
		return journey, walk(r, steps)
	case u < 0.73:
		return burst, repeat(r, steps)
	default:
		steps[0] = step{kind: logStep, service: of(r, loggers)}
		return logLine, 1
	}
}

// repeat plans a burst.
func repeat(r *prng, steps *[maxSteps]step) int {
	service := of(r, failing)
	n, at := 0, int32(0)
	for n == 0 || n < 8 && r.chance(0.3) {
		steps[n] = step{kind: errorStep, service: service, at: at, page: page(r.below(int(pages)))}
		at += int32(200 + r.below(20_000))
		n++
	}
	return n
}

var (
	loggers = []serviceNo{worker, worker, worker, storefront, checkout, catalog, billing}
	failing = []serviceNo{
		web, web, web, web, storefront, storefront, storefront, checkout, checkout, catalog, catalog, billing,
		worker, worker,
	}
)

// walk plans a journey from page to page.
func walk(r *prng, steps *[maxSteps]step) int {
	n, at, trace := 0, int32(0), uint8(0)
	add := func(s step) {
		if n < maxSteps {
			s.trace = trace
			steps[n] = s
			n++
		}
	}
	for p := enter(r); p != leave && n < maxSteps; p = p.next(r) {
		add(step{kind: viewStep, page: p, service: web, at: at})
		if r.chance(0.5) {
			add(step{kind: apiStep, page: p, service: p.backend(), at: at + int32(40+r.below(400))})
		}
		if p.event() != "" {
			add(step{kind: trackStep, page: p, service: web, at: at + int32(500+r.below(1500))})
		}
		for chance := 0.035; r.chance(chance); chance = 0.3 {
			failed := web
			if r.chance(0.45) {
				failed = p.backend()
			}
			add(step{kind: errorStep, page: p, service: failed, at: at + int32(300+r.below(3000))})
		}
		at += int32(3000 + 22_000*min(r.tail(), 12))
		trace++
	}
	return n
}
