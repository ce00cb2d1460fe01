package embedded

import (
	"fmt"
	"log/slog"
	"net"
	"strconv"
)

// listen opens addr. Its error says what to do if the address is in use.
func listen(network, addr string) (net.Listener, error) {
	l, err := net.Listen(network, addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s (stop the program that uses it, or choose another address): %w",
			addr, err)
	}
	return l, nil
}

// claim checks that a server which opens its own port can use addr, and replaces port 0 by a free port. The port is
// free again when claim returns, and another process may take it. So the caller must handle a server that fails to
// start.
func claim(addr string) (string, error) {
	if err := checkLoopback(addr); err != nil {
		return "", err
	}
	l, err := listen("tcp", addr)
	if err != nil {
		return "", err
	}
	got := l.Addr().String()
	if err := l.Close(); err != nil {
		return "", fmt.Errorf("address %q: %w", addr, err)
	}
	return got, nil
}

// checkLoopback returns an error for an address that other machines can reach.
func checkLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && !ip.IsLoopback() {
		return fmt.Errorf("address %q: the engine has no password, so it listens on loopback only, e.g. 127.0.0.1", addr)
	}
	return nil
}

// anyPort reports whether addr leaves the choice of the port to the system.
func anyPort(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	n, convErr := strconv.Atoi(port)
	return err == nil && convErr == nil && n == 0
}

func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
