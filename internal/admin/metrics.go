package admin

import "github.com/prometheus/client_golang/prometheus"

// HealthMetrics returns the metrics that say what /livez and /readyz answer. live and ready are called when somebody
// reads the metrics.
func HealthMetrics(live, ready func() error) []prometheus.Collector {
	gauge := func(name, help string, check func() error) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			if check() != nil {
				return 0
			}
			return 1
		})
	}
	return []prometheus.Collector{
		gauge("sluice_live", "1 while /livez answers 200; 0 while a loop of the process is stuck.", live),
		gauge("sluice_ready", "1 while /readyz answers 200; 0 while the process starts or drains.", ready),
	}
}

// gatherer returns the metrics that the port serves: the caller's, and those of the health checks.
func (s *Server) gatherer() prometheus.Gatherer {
	health := prometheus.NewRegistry()
	health.MustRegister(HealthMetrics(s.Live, s.Ready)...)
	return prometheus.Gatherers{s.Metrics, health}
}
