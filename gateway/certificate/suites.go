package certificate

import "crypto/tls"

// suites are the cipher suites of TLS 1.2: those with forward secrecy and authenticated encryption. The suites of TLS
// 1.3 are all of that kind and cannot be chosen.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// config returns how the port speaks TLS. A handshake gets the pair that is in force when it begins.
func (s *Source) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		CipherSuites:   suites,
		NextProtos:     []string{"http/1.1"}, // a client that also knows HTTP/2 does not try it
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.inForce.Load().cert, nil },
	}
}
