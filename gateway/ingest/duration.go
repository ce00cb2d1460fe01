package ingest

import "github.com/prometheus/client_golang/prometheus"

// Results of a valid request. A valid request has an event that was kept, or one that was not kept through no fault of
// the client's. Requests that are refused for what the client sent, or for its rate limit, have no result.
const (
	resultKept   = "kept"   // nothing was left out but what is the client's fault
	resultFailed = "failed" // an event, or the request, was refused as unavailable or internal
)

// newDurations makes the metric of valid requests. One of its bounds is 1 s, which the objective for requests needs.
func newDurations() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "sluice_gateway_ingest_duration_seconds",
		Help: "Time from the body read to the answer ready, of requests with valid events, by result: kept, or failed " +
			"(answered as unavailable or internal, for the request or for one of its events).",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20},
	}, []string{"result"})
}
