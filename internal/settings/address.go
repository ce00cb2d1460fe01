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

// Shown quotes a value for an error text. It hides a value that may contain a secret.
func Shown(value string) string {
	if len(value) > 100 || strings.ContainsAny(value, "@%") || strings.Contains(value, "://") {
		return "(not shown)"
	}
	return strconv.Quote(value)
}

// CheckServer returns an error unless address is host:port with a port of 1 to 65535. An IPv6 address needs brackets.
func CheckServer(address string) error { return addressError(address, AddressFault(address, false)) }

// CheckListen is CheckServer for an address to listen on. It also accepts an empty host, for all addresses of the
// machine, and port 0, for any free port.
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

// AddressFault returns the fault of an address as a text without any part of the address. It returns "" for a valid
// address.
func AddressFault(address string, listen bool) string {
	switch {
	case address == "":
		return "it is empty"
	case strings.Contains(address, "://"):
		return "it is a URL; write the host and the port alone"
	case strings.ContainsRune(address, '@'):
		return "it contains a user or a password; those have settings of their own"
	case strings.ContainsAny(address, "\"'`"):
		return "it contains quotes; remove them"
	case strings.ContainsFunc(address,
		func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\ufeff' }):
		return "it contains white space or a line break"
	}
	host, port, err := net.SplitHostPort(address)
	switch {
	case err != nil && strings.Count(address, ":") > 1:
		return "an IPv6 address must be in brackets: [::1]:9092"
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
		return "the brackets contain no IPv6 address"
	case err == nil:
		return ""
	case allNumeric.MatchString(host):
		return "the host is neither a name nor an IPv4 address"
	case len(host) > 253 || !hostName.MatchString(host):
		return "a host consists of letters, digits, dots and dashes"
	}
	return ""
}

// CheckFile returns an error if the file is unreadable, empty or a directory.
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

// CheckWord returns an error if value cannot be the name of a user or a group: control characters, surrounding white
// space or surrounding quotes.
func CheckWord(value string) error {
	switch {
	case strings.ContainsFunc(value, unicode.IsControl):
		return errors.New("it contains a line break or another control character")
	case strings.TrimSpace(value) != value:
		return errors.New("it begins or ends with white space")
	case len(value) > 1 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0]:
		return errors.New("it is in quotes; remove them")
	}
	return nil
}
