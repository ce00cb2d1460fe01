// Package crashpoint lets a test kill or stop a program at a named point, and shorten what takes minutes.
//
// It does nothing unless the program is built with -tags crashpoints. Then the environment variable
// CRASHPOINT=point:n[:STOP] kills the program, or stops it with SIGSTOP, when it reaches the point for the nth time. To
// add a point, call Reach there. CRASHPOINT_TIMES=name=duration,… sets durations, see Duration.
package crashpoint
