package consumer

import (
	"github.com/google/uuid"

	"sluice/consumer/delivery"
	"sluice/internal/tracing"
)

// channels connect the goroutines of a partition.
type channels struct {
	free     chan *batch   // empty batches, to the fetcher
	reports  chan report   // fetcher to recorder
	done     chan *batch   // insertions to recorder
	requests chan saveCall // insertions to recorder
}

func newChannels(t *tracing.Tracer) channels {
	c := channels{
		free: make(chan *batch, delivery.MaxRanges), reports: make(chan report), requests: make(chan saveCall),
		done: make(chan *batch, delivery.MaxRanges),
	}
	for range cap(c.free) {
		c.free <- newBatch(t)
	}
	return c
}

// sealed is how many batches are sealed and not yet done with. The fetcher has one more.
func (c *channels) sealed() int { return cap(c.free) - 1 - len(c.free) }

// report is what the fetcher tells the recorder.
type report struct {
	kind   reportKind
	batch  *batch
	offset int64
	lost   int64
	term   int32
	topic  uuid.UUID
}

type reportKind int

const (
	reportSealed   reportKind = iota // batch is a new range
	reportReplayed                   // batch is a recorded range, read again
	// There is no record before offset; lost of them were some, and term is of what ends there.
	reportEmpty
	reportTopic // the id of the topic is topic
	// Reading goes on at offset, once all ranges are in; lost records were passed on the way there.
	reportJump
)

// saveCall is how an insertion asks for a commit, and before it for a mark on its range unless mark is Whole.
type saveCall struct {
	first int64
	mark  delivery.Split
	owned chan bool // whether the partition is still ours
}
