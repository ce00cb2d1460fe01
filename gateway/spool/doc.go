// Package spool is a durable queue of entries on a local disk, in the order in which they came.
//
// An entry whose Append returned nil is on the disk. It survives kill -9, a power cut and a torn last write, and it
// stays until Done or Release. It may be handed out more than once: a crash between Take and Done makes it come again.
// Nothing that was acknowledged is dropped silently: what is deleted or damaged by others is logged and counted. One
// process uses a directory at a time.
//
// The spool does not look into records, and does not decide which entries it gets or when they are sent.
//
// To change the bytes on the disk read entry.go and segment.go; group commit, append.go; reading back, cursor.go; what
// a start finds, recover.go; a directory that is deleted, replaced or unmounted under a running process, directory.go
// and examine.go; entries that Kafka refuses, quarantine.go; files that cannot be read to their end, damaged.go.
package spool
