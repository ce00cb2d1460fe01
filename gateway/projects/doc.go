// Package projects reads the projects file: who may send, with which keys, from which pages, and how much.
//
// It guarantees:
//
//   - A Set is one whole reading of the file and never changes. A million projects fit in about 150 MiB.
//   - Every value counts exactly as the file spells it, or is refused with its line. No error repeats a key or a digest.
//   - A file with a fault changes nothing: the last good Set stays in force. So does a file that is still being written.
//   - A change is in force within 5 s, also where the file system announces no changes.
//   - A reload takes at most half of one core, in slices of half a millisecond. The first reading at start does not wait.
//
// Where to change what: a field of a project is in entry.go, what two projects must not share in build.go, the web origins in
// origins.go, the tables in set.go and textset.go, when a file is read again in watch.go and file.go, the pace in pace.go.
// The syntax of YAML and JSON lines is in internal/conffile.
package projects
