// Package conn holds the connections of the public port: how many may be open, and where idle ones wait.
//
// A Set bounds how many connections are open. A client beyond the bound gets an answer, so that it comes back later;
// far beyond the bound, connections close on accept. An idle connection parks: it leaves the server, and with the
// server its buffers, until its next byte. Parking is invisible to the client. Framed tells heads that proxies may
// read in two ways, which is how requests are smuggled.
//
// The package answers nothing itself. The gateway answers 503 where IsExcess is true and 400 where Framed is false.
//
// To change the bound and the treatment beyond it, see listener.go; the wait of idle connections, parking.go and
// deadline.go; the heads that are refused, framing.go.
package conn
