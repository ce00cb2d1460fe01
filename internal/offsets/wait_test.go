package offsets

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestBehind: what arrives later does not count, and neither does what Kafka no longer keeps.
func TestBehind(t *testing.T) {
	goal := []Partition{{0, 0, 3, 10}, {1, 5, -1, 7}, {2, 4, -1, 4}}
	assert.EqualValues(t, 7+2, behind(goal, goal))
	assert.EqualValues(t, 1, behind(goal, []Partition{{0, 0, 9, 50}, {1, 5, 7, 90}, {2, 4, 4, 9}}))
	assert.Zero(t, behind(goal, []Partition{{0, 0, 10, 50}, {1, 8, -1, 9}, {2, 4, -1, 4}}))
}
