// Package series turns readings of Prometheus metrics into an hour of numbers to draw: rates of counters, quantiles of
// histograms and values of gauges.
//
// [Reading] is what one process exposed at one moment. [Increase] and [Observed] compare two readings of a process;
// they know that a counter which fell was started anew. [Store] keeps the numbers of the last hour in rings of a fixed
// size.
package series
