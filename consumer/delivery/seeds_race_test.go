//go:build race

package delivery

// modelSeeds is lower with the race detector, which makes a model ten times as slow: a model is one goroutine, and has
// no race.
const modelSeeds = 600

// sharedSeeds is lower still, because a history has several partitions.
const sharedSeeds = 100
