//go:build !crashpoints

package consumer

// crash is where a test may kill or stop the program; see crash_on.go.
func crash(string) {}
