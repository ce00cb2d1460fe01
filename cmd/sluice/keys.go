package main

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

type keysCmd struct {
	New struct {
		Name string `name:"name" default:"default" help:"Name of the key in the projects file."`
	} `cmd:"" help:"Create a key and print it. The projects file holds only its digest."`
	Hash struct{} `cmd:"" help:"Read keys from standard input, one per line, and print their digests for the projects file."`
}

func (c keysCmd) run(command string, in io.Reader, out io.Writer) error {
	if command == "keys new" {
		return newKey(c.New.Name, out)
	}
	lines := bufio.NewScanner(in)
	n := 0
	for lines.Scan() {
		key := strings.TrimSpace(lines.Text())
		if key == "" {
			continue
		}
		n++
		if _, err := fmt.Fprintln(out, keyDigest(key)); err != nil {
			return fmt.Errorf("print the digest: %w", err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	if n == 0 {
		return errors.New("no key on standard input; try: echo my-key | sluice keys hash")
	}
	return nil
}

func newKey(name string, out io.Writer) error {
	// Letters and digits only: clients of other protocols, Sentry's among them, refuse a key with a hyphen. 260 bits
	// cannot be guessed.
	key := "sk" + strings.ToLower(rand.Text()+rand.Text())
	_, err := fmt.Fprintf(out, "key:   %s\nfile:  {name: %q, sha256: %q}\n", key, name, keyDigest(key))
	if err != nil {
		return fmt.Errorf("print the key: %w", err)
	}
	return nil
}

func keyDigest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
