package conn

import "time"

// deadline is the read deadline of a connection. The server sets two for each request, although most requests need
// none: their bytes have arrived by then. So a deadline waits for the next read.
//
// For a connection that leaves the server, deadlines hold at once: several goroutines set them, also during a read.
type deadline struct {
	waits   bool // waiting is for the next read
	waiting time.Time
	inForce time.Time
	atOnce  bool
}

// wait reports whether a deadline may wait for the next read.
func (d *deadline) wait(t time.Time) bool {
	if d.atOnce {
		return false
	}
	d.waits, d.waiting = true, t
	return true
}

// due returns the deadline that a read needs, unless the one in force is the same or up to slack earlier.
func (d *deadline) due(slack time.Duration) (t time.Time, due bool) {
	if !d.waits {
		return t, false
	}
	d.waits = false
	if early := d.waiting.Sub(d.inForce); early >= 0 && early <= slack && !d.waiting.IsZero() {
		return t, false
	}
	d.inForce = d.waiting
	return d.inForce, true
}
