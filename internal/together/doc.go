// Package together makes one request of what many goroutines ask at the same time, so that the number of requests does
// not grow with the goroutines.
//
// While a request is under way, the questions that come are kept for the next one. So nobody waits who need not, and an
// answer is never older than its question. There is no goroutine of its own: one of those who ask makes the request for
// all.
//
// Only questions may be asked like this: one may be sent twice. A commit has rules of its own.
package together
