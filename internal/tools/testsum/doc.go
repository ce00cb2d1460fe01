// Command testsum runs go test and lists at the end which tests were skipped and why, which tests took longest, and how
// long all took: go test itself says "ok" for a package whose tests were all skipped. Its arguments are those of go
// test. It prints the line of each package as go test does, and of a package that failed all that the failed tests
// said. It exits with go test's code.
//
//	go run ./internal/tools/testsum -race ./...
package main
