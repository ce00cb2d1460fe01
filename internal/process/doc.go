// Package process is the frame of Sluice's programs: log, signals, exit code, admin port and build version.
//
// The log never blocks a program: its reader may be slow, stuck or gone, and costs lines, which are counted. The first
// signal starts a drain, and a second one exits at once.
//
// To change signals and exit codes, see process.go; the buffer of the log, logwriter.go; the summing up of repeated
// lines, repeats.go; the pace of the garbage collector, frugal.go.
package process
