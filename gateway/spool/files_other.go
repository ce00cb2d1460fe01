//go:build !unix

package spool

import "os"

// device is not known here.
func device(os.FileInfo) uint64 { return 0 }

// unlinked is not known here.
func unlinked(os.FileInfo) bool { return false }
