package ratelimit

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the metrics that a limitStore updates.
type Metrics struct {
	Errors   *prometheus.CounterVec // failed exchanges and connects, by one label: a reason of storeReasons
	Duration prometheus.Observer    // seconds of one exchange
}

// Reasons are all reasons for which an exchange or a connect fails.
var Reasons = []string{"network", "timeout", "auth", "refused", "settings"}
