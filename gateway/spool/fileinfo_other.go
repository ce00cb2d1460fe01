//go:build !unix

package spool

import "os"

// device returns 0: the system does not tell.
func device(os.FileInfo) uint64 { return 0 }

// unlinked returns false: the system does not tell.
func unlinked(os.FileInfo) bool { return false }
