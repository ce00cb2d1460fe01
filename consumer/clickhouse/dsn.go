package clickhouse

import (
	"database/sql"
	"fmt"
	"maps"
	"net"
	"os"
	"regexp"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	"sluice/internal/settings"
)

// databaseName allows names that SQL needs no quotes for.
var databaseName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]{0,62}$`)

// Options reads the DSN, from its file if the settings name one. No error repeats the DSN, which may hold a password.
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

// OpenDB returns a clickhouse-go handle to a database on the DSN's servers, whatever database the DSN names. It connects
// at its first use, to the first server that answers.
//
// Over HTTPS clickhouse-go asks for a login by certificate where the user has no password. OpenDB asks for a login without
// a password, unless the DSN brings a certificate.
func OpenDB(opts *clickhouse.Options, database string) *sql.DB {
	of := *opts
	of.Auth.Database, of.DialTimeout = database, dialTimeout
	if of.Protocol == clickhouse.HTTP && of.TLS != nil && of.Auth.Password == "" && len(of.TLS.Certificates) == 0 {
		of.HttpHeaders = maps.Clone(of.HttpHeaders)
		if of.HttpHeaders == nil {
			of.HttpHeaders = map[string]string{}
		}
		of.HttpHeaders["X-ClickHouse-SSL-Certificate-Auth"] = "off"
	}
	return clickhouse.OpenDB(&of)
}

// withPort adds the protocol's default port to an address that has none.
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

// nodeAddr is the address of a cluster's server that its peers reach at host and port.
func nodeAddr(opts *clickhouse.Options, host, port string) string {
	if opts.Protocol == clickhouse.HTTP || opts.TLS != nil {
		_, port, _ = net.SplitHostPort(opts.Addr[0]) // Options has added one if there was none
	}
	return net.JoinHostPort(host, port)
}

// withTLS adds secure=true to an https DSN. clickhouse-go refuses such a DSN without it.
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
