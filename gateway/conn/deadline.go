package conn

import "time"

// deadline is the read deadline of a connection. The server sets two for each request, although most requests need
// none: their bytes have arrived by then. So a deadline waits for the next read.
//
// A deadline of zero comes before the connection leaves the server. From then on deadlines hold at once, because
// several goroutines set them, also during a read.
type deadline struct {
	waiting time.Time // for the next read; zero: none
	inForce time.Time
	atOnce  bool
}

// wait reports whether a deadline may wait for the next read.
func (d *deadline) wait(t time.Time) bool {
	if d.atOnce {
		return false
	}
	d.waiting, d.atOnce = t, t.IsZero()
	return !d.atOnce
}

// due returns the deadline that a read needs, unless the one in force is the same or up to slack earlier.
func (d *deadline) due(slack time.Duration) (t time.Time, due bool) {
	if d.waiting.IsZero() {
		return t, false
	}
	t, d.waiting = d.waiting, time.Time{}
	if early := t.Sub(d.inForce); early >= 0 && early <= slack {
		return t, false
	}
	d.inForce = t
	return t, true
}
