//go:build !unix

package gateway

import "net"

// closedByPeer is not known here.
func closedByPeer(net.Conn) bool { return false }
