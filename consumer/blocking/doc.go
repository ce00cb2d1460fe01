// Package blocking says what a partition waits for that cannot go on, how urgent that is, and what to do about it.
package blocking
