// Package hands works off items with a few goroutines that are there only while there is work. Where thousands of
// queues are idle most of the time, goroutines that wait for each of them cost memory and the collector's time.
package hands
