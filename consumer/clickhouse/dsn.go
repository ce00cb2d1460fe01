package clickhouse

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	"sluice/internal/settings"
)

// databaseName keeps names out of SQL that would need quoting.
var databaseName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]{0,62}$`)

// Options reads the DSN, from its file if there is one. No error repeats the DSN: it may hold a password.
func (c Config) Options() (*clickhouse.Options, error) {
	dsn, flag := c.DSN, "--clickhouse-dsn"
	if c.DSNFile != "" {
		flag = "--clickhouse-dsn-file"
		text, err := os.ReadFile(c.DSNFile)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		dsn = strings.TrimSpace(string(text))
	}
	opts, err := clickhouse.ParseDSN(withTLS(dsn))
	if err != nil || len(opts.Addr) == 0 || opts.Addr[0] == "" {
		return nil, fmt.Errorf("%s: not a DSN such as clickhouse://user:password@host:9000/sluice", flag)
	}
	for i, addr := range opts.Addr {
		opts.Addr[i] = withPort(addr, opts)
		if fault := settings.AddressFault(opts.Addr[i], false); fault != "" {
			return nil, fmt.Errorf("%s: a server in it is not host:port: %s", flag, fault)
		}
	}
	if opts.Auth.Database == "" {
		opts.Auth.Database = "sluice"
	}
	if !databaseName.MatchString(opts.Auth.Database) {
		return nil, fmt.Errorf("%s: the database's name must be letters, digits and underscores", flag)
	}
	return opts, nil
}

// withPort adds ClickHouse's own port for the protocol to an address that names none.
func withPort(addr string, opts *clickhouse.Options) string {
	if _, _, err := net.SplitHostPort(addr); err == nil {
		return addr
	}
	port := "9000"
	switch http := opts.Protocol == clickhouse.HTTP; {
	case http && opts.TLS != nil:
		port = "8443"
	case http:
		port = "8123"
	case opts.TLS != nil:
		port = "9440"
	}
	return net.JoinHostPort(strings.Trim(addr, "[]"), port)
}

// nodeAddr is where a server of a cluster is reached, which its peers reach at host and port.
func nodeAddr(opts *clickhouse.Options, host, port string) string {
	if opts.Protocol == clickhouse.HTTP || opts.TLS != nil {
		_, port, _ = net.SplitHostPort(opts.Addr[0]) // it was added if there was none
	}
	return net.JoinHostPort(host, port)
}

// withTLS adds to an https DSN the parameter without which clickhouse-go refuses it.
func withTLS(dsn string) string {
	switch {
	case !strings.HasPrefix(dsn, "https://") || strings.Contains(dsn, "secure="):
		return dsn
	case strings.Contains(dsn, "?"):
		return dsn + "&secure=true"
	default:
		return dsn + "?secure=true"
	}
}
