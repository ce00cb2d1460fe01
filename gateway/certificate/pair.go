package certificate

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	// maxFile is the most that is read of a file, in bytes. A chain of certificates has a few kilobytes.
	maxFile = 1 << 20
	// soon is how long before a certificate's end warnings begin.
	soon = 14 * 24 * time.Hour
)

// Files names the files of a pair.
type Files struct{ Cert, Key string }

// Enabled reports whether there is a pair.
func (f Files) Enabled() bool { return f.Cert != "" || f.Key != "" }

// Check returns an error if only one of the two files is named. It opens no file.
func (f Files) Check() error {
	switch {
	case f.Key == "" && f.Cert != "":
		return errors.New("--http-tls-key-file: missing; --http-tls-cert-file needs it")
	case f.Cert == "" && f.Key != "":
		return errors.New("--http-tls-cert-file: missing; --http-tls-key-file needs it")
	}
	return nil
}

// CheckFiles reads the pair. It returns an error if a port cannot serve it, and notes about its time.
func (f Files) CheckFiles(now time.Time) (notes []string, err error) {
	if !f.Enabled() || f.Check() != nil {
		return nil, nil // Check has the error
	}
	p, err := f.read()
	if err != nil {
		return nil, err
	}
	if note := timeNote(p.leaf, now); note != "" {
		notes = append(notes, "--http-tls-cert-file: "+note)
	}
	return notes, nil
}

// timeNote returns what is wrong with a certificate's time, or "".
func timeNote(leaf *x509.Certificate, now time.Time) string {
	const day = "2006-01-02 15:04:05 MST"
	switch {
	case now.After(leaf.NotAfter):
		return "the certificate expired at " + leaf.NotAfter.UTC().Format(day)
	case now.Before(leaf.NotBefore):
		return "the certificate is not valid before " + leaf.NotBefore.UTC().Format(day)
	case leaf.NotAfter.Sub(now) < soon:
		return "the certificate expires at " + leaf.NotAfter.UTC().Format(day)
	}
	return ""
}

// pair is what was read of two files.
type pair struct {
	cert *tls.Certificate
	leaf *x509.Certificate
	sum  [sha256.Size]byte // of both files
}

// content returns both files and their sum.
func (f Files) content() (cert, key []byte, sum [sha256.Size]byte, err error) {
	if cert, err = readFile(f.Cert); err != nil {
		return nil, nil, sum, fmt.Errorf("--http-tls-cert-file: %w", err)
	}
	if key, err = readFile(f.Key); err != nil {
		return nil, nil, sum, fmt.Errorf("--http-tls-key-file: %w", err)
	}
	hash := sha256.New()
	fmt.Fprintf(hash, "%d\n", len(cert))
	hash.Write(cert)
	hash.Write(key)
	hash.Sum(sum[:0])
	return cert, key, sum, nil
}

func (f Files) read() (*pair, error) {
	cert, key, sum, err := f.content()
	if err != nil {
		return nil, err
	}
	return f.parse(cert, key, sum)
}

// parse makes a pair of the files' contents. Its errors name the files and repeat nothing of what is in them.
func (f Files) parse(cert, key []byte, sum [sha256.Size]byte) (*pair, error) {
	made, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("--http-tls-cert-file %s and --http-tls-key-file %s are no pair: %w", f.Cert, f.Key, err)
	}
	return &pair{cert: &made, leaf: made.Leaf, sum: sum}, nil
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) == 0:
		return nil, fmt.Errorf("%s is empty", path)
	case len(text) > maxFile:
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return text, nil
}
