// Package settings reads a program's settings from flags, the environment and a file.
//
// A setting is a struct field with kong tags. Its help tag is its manual: --help shows it, and docs/settings.md
// contains it. The order of precedence is flag, environment variable (SLUICE_ and the flag in capitals, _ for -), file,
// default. An empty variable counts as not set.
//
// An unknown key in the file or an unknown SLUICE_ variable stops the program at its start. Two kinds are exempt:
// settings of Sluice's other programs, because one file and one environment can serve all of them, and variables that
// Kubernetes sets for a Service.
package settings
