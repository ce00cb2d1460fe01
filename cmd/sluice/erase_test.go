package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEraseConfirm: a user takes a yes, and a whole project its name; flags answer beforehand.
func TestEraseConfirm(t *testing.T) {
	for _, c := range []struct {
		user, confirm string
		yes           bool
		typed         string
		want          string // in the error; "": confirmed
	}{
		{user: "u", typed: "yes\n"},
		{user: "u", typed: " yes \r\n"},
		{user: "u", yes: true},
		{user: "u", want: "--yes"},
		{user: "u", typed: "y\n", want: "nothing was erased"},
		{user: "u", typed: strings.Repeat("x", 1<<20) + "yes\n", want: "nothing was erased"},
		{user: "u", confirm: "shop", want: "--yes"},
		{typed: "shop\n"},
		{confirm: "shop"},
		{typed: "yes\n", want: "--confirm shop"},
		{yes: true, want: "--yes does not erase a whole project"},
		{yes: true, confirm: "shop", want: "--yes does not erase a whole project"},
		{confirm: "other", typed: "shop\n", want: "--confirm"},
	} {
		cmd := &eraseCmd{Yes: c.yes, Confirm: c.confirm}
		cmd.Project, cmd.User = "shop", c.user
		var asked bytes.Buffer
		err := cmd.confirm(strings.NewReader(c.typed), &asked, "")
		if c.want == "" {
			assert.NoError(t, err, "%+v", c)
		} else {
			assert.ErrorContains(t, err, c.want, "%+v", c)
			assert.ErrorIs(t, err, errNotConfirmed)
		}
	}
}

// TestEraseFaults: what cannot be done is said before anything is.
func TestEraseFaults(t *testing.T) {
	dir := t.TempDir()
	for want, args := range map[string][]string{
		"--project":        {"erase"},
		"--rewrite-spool":  {"erase", "--project", "p", "--user", "u", "--rewrite-spool", filepath.Join(dir, "missing"), "--dry-run"},
		"no spool in this": {"erase", "--project", "p", "--user", "u", "--yes", "--rewrite-spool", filepath.Join(dir, "missing")},
		"no such file":     {"erase", "--check", filepath.Join(dir, "missing")},
		"--resend-window":  {"erase", "--project", "p", "--resend-window", "366d"},
		"not confirmed":    {"erase", "--project", "p", "--user", "u", "--rewrite-spool", dir},
	} {
		_, err := try(t, args)
		require.ErrorContains(t, err, want)
	}
}
