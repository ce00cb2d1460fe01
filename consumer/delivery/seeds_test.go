//go:build !race

package delivery

// modelSeeds is how many histories a model plays.
const modelSeeds = 3000
