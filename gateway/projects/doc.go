// Package projects reads the projects file: who may send, with which keys, from which pages, and how much.
//
// It guarantees:
//
//   - A Set is one whole reading of the file and never changes.
//   - Every value counts exactly as the file spells it, or is refused with its line. No error repeats a key.
//   - A file with a fault changes nothing: the last good Set stays in force. So does a file that is being written.
//   - A changed file is noticed within 2 s, also where the file system announces no changes.
//   - A reload leaves the processor free for half of the time, until it has paused for 2 s altogether. The first
//     reading, at start, does not pause.
//
// To change a field of a project read entry.go; what two projects must not share, build.go; the web origins,
// origins.go; the tables in memory, set.go and textset.go; when a file is read again, watch.go and file.go; the pace,
// pace.go. The syntax of YAML and of JSON lines is in internal/conffile.
package projects
