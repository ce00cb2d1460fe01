//go:build !unix

package gateway

// openFilesLimit is not known here.
func openFilesLimit() int { return 0 }
