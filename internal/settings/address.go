package settings

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// Shown quotes a value for an error, unless a secret could be in it.
func Shown(value string) string {
	if len(value) > 100 || strings.ContainsAny(value, "@%") || strings.Contains(value, "://") {
		return "(not shown)"
	}
	return strconv.Quote(value)
}

// CheckServer reports what is wrong with the address of a server to connect to: host:port, an IPv6 address in brackets, the port 1
// to 65535.
func CheckServer(address string) error { return addressError(address, AddressFault(address, false)) }

// CheckListen reports what is wrong with an address to listen on: as for CheckServer, but without a host for all of the machine's
// addresses, and with port 0 for any that is free.
func CheckListen(address string) error { return addressError(address, AddressFault(address, true)) }

func addressError(address, fault string) error {
	if fault == "" {
		return nil
	}
	return fmt.Errorf("%s is not host:port: %s", Shown(address), fault)
}

var (
	hostName   = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?$`)
	allNumeric = regexp.MustCompile(`^[0-9.]+$`)
)

// AddressFault says what is wrong with an address without repeating any of it, or "".
func AddressFault(address string, listen bool) string {
	switch {
	case address == "":
		return "it is empty"
	case strings.Contains(address, "://"):
		return "it is a URL; write the host and the port alone"
	case strings.ContainsRune(address, '@'):
		return "it has a user or a password in it; those are settings of their own"
	case strings.ContainsAny(address, "\"'`"):
		return "quotes are a part of it; leave them out"
	case strings.ContainsFunc(address, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\ufeff' }):
		return "it has white space or a line break in it"
	}
	host, port, err := net.SplitHostPort(address)
	switch {
	case err != nil && strings.Count(address, ":") > 1:
		return "an IPv6 address is written in brackets: [::1]:9092"
	case err != nil:
		return "the port is missing"
	case host == "" && !listen:
		return "the host is missing"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port || n == 0 && !listen {
		return "the port must be 1 to 65535"
	}
	return hostFault(host, strings.HasPrefix(address, "["))
}

func hostFault(host string, brackets bool) string {
	switch addr, err := netip.ParseAddr(host); {
	case host == "":
		return ""
	case brackets && (err != nil || !addr.Is6()):
		return "what is in brackets is no IPv6 address"
	case err == nil:
		return ""
	case allNumeric.MatchString(host):
		return "the host is neither a name nor an IPv4 address"
	case len(host) > 253 || !hostName.MatchString(host):
		return "a host has letters, digits, dots and dashes"
	}
	return ""
}

// CheckFile reports that a file cannot be read, or holds nothing.
func CheckFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a directory", path)
	case info.Mode().IsRegular() && info.Size() == 0:
		return fmt.Errorf("%s is empty", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// CheckWord reports what no name of a user or a group has: control characters, white space around it, quotes around it.
func CheckWord(value string) error {
	switch {
	case strings.ContainsFunc(value, unicode.IsControl):
		return errors.New("it has a line break or another control character in it")
	case strings.TrimSpace(value) != value:
		return errors.New("it has white space around it")
	case len(value) > 1 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0]:
		return errors.New("quotes are a part of it; leave them out")
	}
	return nil
}
