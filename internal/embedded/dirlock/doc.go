// Package dirlock marks a directory as used by one process.
//
// The mark is a lock on the file FileName in the directory. It belongs to the open file: a child that inherits the file
// keeps the lock, and the kernel releases the lock when the last of them has ended, in whatever way. The file holds the
// process id of its owner, for people and for error texts. The lock does not depend on that id.
package dirlock
