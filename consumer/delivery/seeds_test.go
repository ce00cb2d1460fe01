//go:build !race

package delivery

// modelSeeds is how many histories a model plays.
const modelSeeds = 3000

// sharedSeeds is how many histories of shared blocks a model plays.
const sharedSeeds = modelSeeds
