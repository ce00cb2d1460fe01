package plan

import "math"

// count is a number of machines or partitions: at least least, and enough for need.
func count(need float64, least int) int {
	return max(least, int(min(math.Ceil(need-tiny), mostMachines)))
}

// mostMachines keeps products of machines and anything else within an int.
const mostMachines = 1e9

// tiny keeps rounding errors from costing a machine.
const tiny = 1e-9

// fixed returns the number that the operator fixed, or the one that is needed.
func fixed(given, needed int) int {
	if given > 0 {
		return given
	}
	return needed
}

// diskFill is how much of a disk may be used. ClickHouse needs room to merge.
const diskFill = 0.8

const micro = 1e-6 // seconds

// least is how many processes of a kind there are, so that one may be down.
const least = 2
