// House measures the tree and compares the figures with the project's limits.
//
// It counts Go files that are not tests. Two files of a package are in one cycle when each uses something that the
// other declares, directly or through further files. A line is as wide as an editor with tab stops of four columns
// shows it.
//
// Usage, in the root of the repository:
//
//	go run ./internal/tools/house [-v]
//
// With -v the program also lists what each figure comes from. It exits with status 1 if a figure exceeds its limit.
package main
