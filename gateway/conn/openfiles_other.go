//go:build !unix

package conn

// openFilesLimit returns 0: this system does not tell how many files a process may have open.
func openFilesLimit() int { return 0 }
