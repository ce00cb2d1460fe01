package embedded

import (
	"fmt"
	"log/slog"
	"net"
	"strconv"
)

// listen opens addr and says in one sentence what to do when it is taken.
func listen(network, addr string) (net.Listener, error) {
	l, err := net.Listen(network, addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s (is another program using it? choose another address): %w", addr, err)
	}
	return l, nil
}

// claim finds out whether a server that opens its own port can have addr, and turns port 0 into a free port. The port is free
// again when claim returns, so another process may still take it: the caller copes with a server that then fails to start.
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

// checkLoopback refuses an address that others can reach.
func checkLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && !ip.IsLoopback() {
		return fmt.Errorf("address %q: the engine has no password and listens on loopback only, such as 127.0.0.1", addr)
	}
	return nil
}

// anyPort tells whether addr leaves the port to the system.
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
