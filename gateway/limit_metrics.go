package gateway

import "github.com/prometheus/client_golang/prometheus"

// storeMetrics are the metrics that a limitStore updates.
type storeMetrics struct {
	Errors   *prometheus.CounterVec // failed exchanges and connects, by one label: a reason of storeReasons
	Duration prometheus.Observer    // seconds of one exchange
}

// storeReasons are all reasons for which an exchange or a connect fails.
var storeReasons = []string{"network", "timeout", "auth", "refused", "settings"}
