package certificate

import (
	"cmp"
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// Config configures a Source.
type Config struct {
	Files Files
	Log   *slog.Logger
	// Now is the clock that certificates are compared with. nil is time.Now.
	Now func() time.Time
	// Every is how often the files are compared with the pair in force. 0 is the default of two seconds.
	Every time.Duration
	// Handshake is how long a client may take to shake hands. 0 is the default of ten seconds.
	Handshake time.Duration
	// Failed counts a handshake that failed, by reason, one of Reasons. It must be safe for concurrent use.
	Failed func(reason string)
}

const (
	defaultEvery     = 2 * time.Second
	defaultHandshake = 10 * time.Second
)

// Source is the certificate of the public port. Call Load once, then Run. Its other methods are safe for concurrent
// use after Load.
type Source struct {
	cfg     Config
	inForce atomic.Pointer[pair]
	broken  atomic.Bool
	loaded  atomic.Int64 // when the pair in force was read, in Unix nanoseconds

	// Only Run uses these.
	fault  string // of the last reading, "" for a good one
	logged string // the fault that was logged last
	note   string // the last warning about the certificate's time
}

// New returns a source. It opens nothing.
func New(cfg Config) *Source {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Every, cfg.Handshake = cmp.Or(cfg.Every, defaultEvery), cmp.Or(cfg.Handshake, defaultHandshake)
	return &Source{cfg: cfg}
}

// Load reads the pair for the first time. An expired certificate is no error: clients may accept it, and the port is of
// more use than none.
func (s *Source) Load() error {
	p, err := s.cfg.Files.read()
	if err != nil {
		return err
	}
	s.use(p)
	return nil
}

// use puts a pair into force, for the handshakes that begin from now on.
func (s *Source) use(p *pair) {
	s.inForce.Store(p)
	s.loaded.Store(s.cfg.Now().UnixNano())
	s.cfg.Log.Info("certificate is in force", "subject", p.leaf.Subject.CommonName, "names", p.leaf.DNSNames,
		"expires", p.leaf.NotAfter.UTC())
	s.note = ""
	s.remind()
}

// remind warns once about each thing that is wrong with the time of the certificate.
func (s *Source) remind() {
	note := timeNote(s.inForce.Load().leaf, s.cfg.Now())
	if note != "" && note != s.note {
		s.cfg.Log.Warn("certificate needs renewal", "note", note)
	}
	s.note = note
}

// Run reads the files again whenever they change, until ctx ends. Connections that are open keep theirs.
func (s *Source) Run(ctx context.Context) {
	tick := time.NewTicker(s.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.reload()
			s.remind()
		}
	}
}

// reload puts the files into force if they changed. A fault counts when it is still there at the next look: between the
// replacement of the one file and that of the other the two are no pair.
func (s *Source) reload() {
	cert, key, sum, err := s.cfg.Files.content()
	var p *pair
	if err == nil {
		if sum == s.inForce.Load().sum {
			s.fault, s.logged = "", ""
			s.broken.Store(false)
			return
		}
		p, err = s.cfg.Files.parse(cert, key, sum)
	}
	if err == nil {
		s.fault, s.logged = "", ""
		s.broken.Store(false)
		s.use(p)
		return
	}
	fault := err.Error()
	if fault == s.fault {
		s.broken.Store(true)
		if fault != s.logged {
			s.cfg.Log.Error("certificate is broken, the last good one stays in force", "err", err)
			s.logged = fault
		}
	}
	s.fault = fault
}

// Broken reports whether the files are no usable pair now, so that the last good one stays in force.
func (s *Source) Broken() bool { return s.broken.Load() }

// ExpiresIn returns how long the certificate in force is valid, less than zero once it has expired.
func (s *Source) ExpiresIn() time.Duration { return s.inForce.Load().leaf.NotAfter.Sub(s.cfg.Now()) }

// Loaded returns when the pair in force was read.
func (s *Source) Loaded() time.Time { return time.Unix(0, s.loaded.Load()) }
