//go:build !unix

package kafka

import "net"

// closedByPeer returns false: the system does not tell.
func closedByPeer(net.Conn) bool { return false }
