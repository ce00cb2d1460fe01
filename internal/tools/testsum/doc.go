// Command testsum runs go test and lists at the end which tests were skipped and why, which tests took longest, and how
// long all took: go test itself says "ok" for a package whose tests were all skipped. Its arguments are those of go
// test, with the value of a flag after "=". It prints the line of each package as go test does, and of a package that
// failed all that the failed tests said. It exits with go test's code.
//
//	go run ./internal/tools/testsum -race -timeout=20m ./...
//
// Many tests kill processes, cut connections and wait for what real clocks decide, and packages run side by side. On a
// busy machine one of them fails now and then although nothing is wrong, and the more tests there are, the more often a
// run of all of them would fail for nothing. So if at most five tests failed, each of them runs once more, alone. If
// all of them pass then, the run has passed. The list at the end names them as unsteady, with what they said when they
// failed: an unsteady test is a fault of the test or of the program, which somebody has to mend.
//
// A run is not saved this way if anything in it shows a fault for certain: a build that failed, a data race, a panic, a
// test that did not end, or a package that failed although its tests passed. gotestsum has the same as --rerun-fails.
//
// To change what is printed read summary.go; what runs again and when, rerun.go.
package main
