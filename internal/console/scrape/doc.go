// Package scrape reads the metrics of other processes from their admin ports. [Targets] finds their addresses, also
// behind a name that resolves to many, and [Client] asks all of them at once, with bounds on time and size.
package scrape
