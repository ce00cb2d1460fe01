// Package certificate lets the public port speak TLS with a certificate from two files, which it reads again when they
// change.
//
// A Source holds the pair in force. A broken pair keeps the last good one in force. A Listener's connections shake
// hands when they are first read, each within a deadline of its own, so that accepting waits for no client. A client
// that speaks plain HTTP gets an answer that says so.
//
// To change how files are read and what is said of them, see pair.go; how changes are noticed, source.go; the handshake
// and the errors that the server sees, conn.go; versions and cipher suites, suites.go.
package certificate
