package gateway

import (
	"context"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/gateway/certificate"
)

// TLSConfig names the certificate of the public port.
type TLSConfig struct {
	HTTPTLSCertFile string `name:"http-tls-cert-file" placeholder:"FILE" help:"PEM file with the certificate of the public port and those between it and its authority. With it the port speaks HTTPS (TLS 1.2 and later) and no plain HTTP. A change is in force within 5 s, for new connections. A broken file keeps the last good pair in force. Needs --http-tls-key-file."`
	HTTPTLSKeyFile  string `name:"http-tls-key-file" placeholder:"FILE" help:"PEM file with the certificate's private key, without a passphrase."`
}

// files returns the pair of files.
func (c TLSConfig) files() certificate.Files {
	return certificate.Files{Cert: c.HTTPTLSCertFile, Key: c.HTTPTLSKeyFile}
}

// CheckTLS reads the certificate of the public port. The error says why the port could not serve it. The notes are
// about its time.
func CheckTLS(cfg Config, now time.Time) (notes []string, err error) {
	return cfg.files().CheckFiles(now)
}

// newCertificate reads the certificate, if there is one, and returns its metrics.
func (g *Gateway) newCertificate() ([]prometheus.Collector, error) {
	files := g.cfg.files()
	if !files.Enabled() {
		return nil, nil
	}
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_gateway_tls_handshake_errors_total",
		Help: "TLS handshakes on the public port that failed, by reason.",
	}, []string{"reason"})
	for _, reason := range certificate.Reasons {
		failures.WithLabelValues(reason)
	}
	g.certificate = certificate.New(certificate.Config{
		Files: files, Log: g.log, Now: g.now, Every: g.deps.certificateEvery,
		Failed: func(reason string) { failures.WithLabelValues(reason).Inc() },
	})
	return []prometheus.Collector{
		failures,
		gauge("sluice_gateway_tls_certificate_expires_seconds",
			"Seconds until the certificate of the public port expires, less than 0 once it has.",
			func() float64 { return g.certificate.ExpiresIn().Seconds() }),
		gauge("sluice_gateway_tls_certificate_loaded_timestamp_seconds",
			"When the certificate in force was read, in Unix seconds.",
			func() float64 { return float64(g.certificate.Loaded().UnixMilli()) / 1000 }),
		gauge("sluice_gateway_tls_certificate_broken",
			"1 while the files of the certificate are broken and the last good pair stays in force, else 0.",
			func() float64 { return oneIf(g.certificate.Broken()) }),
	}, g.certificate.Load()
}

// encrypted returns a listener that speaks TLS, if there is a certificate.
func (g *Gateway) encrypted(l net.Listener) net.Listener {
	if g.certificate == nil {
		return l
	}
	return g.certificate.Listener(l)
}

// watchCertificate reads the certificate again when it changes, until ctx ends.
func (g *Gateway) watchCertificate(ctx context.Context) {
	if g.certificate != nil {
		g.certificate.Run(ctx)
	}
}
