//go:build !unix

package kafka

import "net"

// closedByPeer is not known here.
func closedByPeer(net.Conn) bool { return false }
