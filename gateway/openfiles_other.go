//go:build !unix

package gateway

// openFilesLimit returns 0: this system does not tell how many files a process may have open.
func openFilesLimit() int { return 0 }
