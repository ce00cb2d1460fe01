package console

import (
	"encoding/json"
	"net/http"
	"strconv"

	"sluice/internal/console/series"
	"sluice/internal/console/web"
)

// policy lets the page load its own files and nothing else. It has neither inline scripts nor inline styles.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// Handler returns the handler of / and of /console/.
func (c *Console) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", web.Page)
	mux.HandleFunc("GET /console/assets/{version}/{name}", web.Asset)
	mux.HandleFunc("GET /console/data", c.data)
	if c.cfg.Explore != nil {
		mux.Handle("/console/", c.cfg.Explore)
	}
	return protected(mux)
}

// protected adds headers that keep other pages and other scripts away.
func protected(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// answerData is the answer to GET /console/data.
type answerData struct {
	// Instance changes when the process starts anew. The page then forgets what it had.
	Instance  int64  `json:"instance"`
	Version   string `json:"version"`
	Interval  int    `json:"interval"` // seconds between samples
	Samples   int    `json:"samples"`  // kept
	Explore   bool   `json:"explore"`
	NoExplore string `json:"no_explore,omitempty"`
	Try       string `json:"try,omitempty"`
	// Watches says whether consumers are configured.
	Watches bool `json:"watches"`
	view
	series.Window
}

// data answers with this moment, and with the samples later than the parameter since (Unix milliseconds).
func (c *Console) data(w http.ResponseWriter, r *http.Request) {
	since, _ := strconv.ParseInt(r.URL.Query().Get("since"), 10, 64) // anything else is the whole hour
	v := c.now()
	if v.At == 0 {
		v.Consumers, v.Problems = []consumer{}, []problem{}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(answerData{
		Instance: c.started.UnixMilli(), Version: c.cfg.Version, Interval: int(interval.Seconds()), Samples: samples,
		Explore: c.cfg.Explore != nil, NoExplore: c.cfg.NoExplore, Try: c.cfg.Try,
		Watches: len(c.cfg.Consumers)+len(c.cfg.Local) > 0,
		view:    v, Window: c.store.Since(since),
	})
}
