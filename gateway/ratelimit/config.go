package ratelimit

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"sluice/internal/conffile"
	"sluice/internal/settings"
)

// Config says where the limit store is and how to log in. The zero value is no store.
type Config struct {
	// URL is redis://[user:password@]host:port[/db], or rediss:// for TLS: the setting --limit-store.
	URL string
	// URLFile is a file that holds the URL, in place of URL. Each connect reads it again: the setting
	// --limit-store-file.
	URLFile string
	// TLSCAFile is a PEM file with the authorities that sign the store's certificate; "" uses those of the system. It
	// is the setting --limit-store-tls-ca-file.
	TLSCAFile string

	// Wait is how long a request waits for the store before its gateway decides alone. 0 is the default of 50 ms.
	Wait time.Duration
	// Timeout is how long an exchange with the store may take before the store counts as away. 0 is the default of
	// 250 ms.
	Timeout time.Duration
}

// Enabled reports whether there is a store.
func (c Config) Enabled() bool { return c.URL != "" || c.URLFile != "" }

// Check reports a fault of the settings. It reads the files and does not connect. No error repeats the URL, which may
// hold a password.
func (c Config) Check() error {
	switch {
	case c.URL != "" && c.URLFile != "":
		return errors.New("--limit-store and --limit-store-file: give one of the two")
	case !c.Enabled() && c.TLSCAFile != "":
		return errors.New("--limit-store-tls-ca-file: certificates are given, but no --limit-store")
	case !c.Enabled():
		return nil
	}
	_, err := c.options()
	return err
}

// options reads the files and returns what go-redis needs to connect. No error repeats the URL.
func (c Config) options() (*redis.Options, error) {
	text, flag := c.URL, "--limit-store"
	if c.URLFile != "" {
		flag = "--limit-store-file"
		raw, err := os.ReadFile(c.URLFile)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		text = strings.TrimSpace(string(raw))
	}
	options, wrong := parseStore(text)
	if wrong != "" {
		return nil, fmt.Errorf("%s: %s; it is redis://[user:password@]host:port[/db], or rediss:// for TLS", flag, wrong)
	}
	options.CredentialsProviderContext = func(context.Context) (user, password string, err error) {
		again, err := c.options()
		if err != nil {
			return "", "", fmt.Errorf("%w: %w", errStoreSettings, err)
		}
		return again.Username, again.Password, nil
	}
	return options, c.trustCA(options)
}

// trustCA replaces the system's authorities by those of TLSCAFile, if it is set.
func (c Config) trustCA(options *redis.Options) error {
	if c.TLSCAFile == "" {
		return nil
	}
	const flag = "--limit-store-tls-ca-file"
	if options.TLSConfig == nil {
		return fmt.Errorf("%s: certificates are given, but TLS is off; use rediss://", flag)
	}
	pem, err := os.ReadFile(c.TLSCAFile)
	if err != nil {
		return fmt.Errorf("%s: %w", flag, err)
	}
	options.TLSConfig.RootCAs = x509.NewCertPool()
	if !options.TLSConfig.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s: %s holds no PEM certificate", flag, c.TLSCAFile)
	}
	return nil
}

// parseStore parses the store's URL, or says what is wrong with the URL without repeating any of it.
func parseStore(text string) (options *redis.Options, wrong string) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, "this is not a URL"
	}
	password, hasPassword := u.User.Password()
	port, notPort := strconv.Atoi(u.Port())
	db, notDB := conffile.ParseInt(cmp.Or(strings.TrimPrefix(u.Path, "/"), "0"), 32)
	switch {
	case u.Scheme != "redis" && u.Scheme != "rediss":
		return nil, "the scheme is not redis or rediss"
	case u.Hostname() == "":
		return nil, "the host is missing"
	case notPort != nil || port < 1 || port > 65535:
		return nil, "the port is missing, or not 1 to 65535"
	case settings.AddressFault(u.Host, false) != "":
		return nil, "the host is not host:port: " + settings.AddressFault(u.Host, false)
	case u.User.Username() != "" && !hasPassword:
		return nil, "the user has no password"
	case notDB != nil || db < 0:
		return nil, "the database is not a number"
	case u.RawQuery != "" || u.Fragment != "":
		return nil, "nothing may follow the database"
	}
	options = &redis.Options{Addr: u.Host, Username: u.User.Username(), Password: password, DB: int(db)}
	if u.Scheme == "rediss" {
		options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname()}
	}
	return options, ""
}
