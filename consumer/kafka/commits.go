package kafka

import (
	"context"
	"sync"
	"time"

	"sluice/internal/backoff"
)

const (
	// commitStep is how often a commit looks whether others have joined it, and commitWait how long it waits for them at
	// most.
	commitStep = time.Millisecond
	commitWait = 10 * time.Millisecond
)

// Commits sends the commits of the partitions of one member together: while a request is under way, the commits that
// come are kept for the next one. So the number of requests does not grow with the partitions. It is safe for
// concurrent use.
type Commits struct {
	*Client

	all   func(ctx context.Context, m Member, all []Offset) []error
	wait  time.Duration // for others, at most
	turn  chan struct{} // has one item while a request is under way
	mu    sync.Mutex
	queue []*commit
}

// commit is one partition's.
type commit struct {
	Offset

	answer chan error
}

// CommitTogether returns what commits for the partitions of a member, in one generation. If many of them commit at the
// same moments, each request waits for as long as more come, some milliseconds: without that the first one would go
// alone, and the others after its answer.
func (k *Client) CommitTogether(many bool) *Commits {
	c := &Commits{Client: k, all: k.CommitAll, turn: make(chan struct{}, 1)}
	if many {
		c.wait = commitWait
	}
	return c
}

// Commit is Client.Commit. Its partition has no other commit under way.
func (c *Commits) Commit(ctx context.Context, m Member, partition int, offset int64, metadata string) error {
	mine := &commit{Offset{partition, offset, metadata}, make(chan error, 1)}
	c.mu.Lock()
	c.queue = append(c.queue, mine)
	c.mu.Unlock()
	select {
	case err := <-mine.answer:
		return err
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		if c.withdraw(mine) {
			return ctx.Err()
		}
		return <-mine.answer // it is under way
	}
	c.gather(ctx)
	c.send(ctx, m)
	<-c.turn
	return <-mine.answer
}

// gather waits until no more commits come.
func (c *Commits) gather(ctx context.Context) {
	before := 0
	for end := time.Now().Add(c.wait); time.Now().Before(end); {
		c.mu.Lock()
		n := len(c.queue)
		c.mu.Unlock()
		if n == before || !backoff.Sleep(ctx, commitStep) {
			return
		}
		before = n
	}
}

// withdraw takes a commit out of the queue. It returns false if the commit is not there any more.
func (c *Commits) withdraw(mine *commit) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, one := range c.queue {
		if one == mine {
			c.queue = append(c.queue[:i], c.queue[i+1:]...)
			return true
		}
	}
	return false
}

// send sends what is in the queue.
func (c *Commits) send(ctx context.Context, m Member) {
	c.mu.Lock()
	queue := c.queue
	c.queue = nil
	c.mu.Unlock()
	if len(queue) == 0 {
		return
	}
	all := make([]Offset, len(queue))
	for i, one := range queue {
		all[i] = one.Offset
	}
	for i, err := range c.all(ctx, m, all) {
		queue[i].answer <- err
	}
}
