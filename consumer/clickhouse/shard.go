package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"sluice/consumer/rows"
	"sync"
	"sync/atomic"
)

// shard is some replicas that hold the same rows. An insert goes to one of them, and to another when that one does not take it: they
// share what they know of tokens.
type shard struct {
	replicas []*pool
	quorum   int // how many of its replicas must have a row
	turn     atomic.Int64
}

// insert tries the next replica at once where nothing was sent. After any other answer it is the next attempt's.
func (s *shard) insert(ctx context.Context, b *rows.Block, token string) (err error) {
	for range s.replicas {
		turn := s.turn.Load()
		err = s.replicas[turn%int64(len(s.replicas))].Insert(ctx, b, token)
		if err == nil || isData(err) || ctx.Err() != nil {
			return err
		}
		s.turn.CompareAndSwap(turn, turn+1)
		if !errors.Is(err, ErrNotSent) {
			return err
		}
	}
	return err
}

// ask puts a question to all replicas at once. It takes answers of as many as must have a row: with most of the replicas as the quorum, at
// least one of any such number has what was answered as inserted.
func (s *shard) ask(question func(*pool) error) error {
	errs := make([]error, len(s.replicas))
	var all sync.WaitGroup
	for n, replica := range s.replicas {
		all.Go(func() { errs[n] = question(replica) })
	}
	all.Wait()
	answers := 0
	var failed error
	for _, err := range errs {
		if err == nil {
			answers++
		} else if failed == nil {
			failed = err
		}
	}
	if answers < s.enough() {
		return fmt.Errorf("%d of %d replicas answered: %w", answers, len(s.replicas), failed)
	}
	return nil
}

// enough is the quorum, as far as the replicas can be reached one by one.
func (s *shard) enough() int { return min(s.quorum, len(s.replicas)) }

// copies counts on how many replicas each row of b is.
func (s *shard) copies(ctx context.Context, topic string, partition int, b *rows.Block) ([]int, error) {
	copies := make([]int, b.Rows())
	var mu sync.Mutex
	err := s.ask(func(replica *pool) error {
		there, err := replica.present(ctx, topic, partition, b)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for row, offset := range b.Offsets() {
			if _, ok := there[stored{offset, b.EventIDs()[row]}]; ok {
				copies[row]++
			}
		}
		return nil
	})
	return copies, err
}

func (s *shard) highest(ctx context.Context, topic string, partition int, from int64) (int64, error) {
	highest := int64(-1)
	var mu sync.Mutex
	err := s.ask(func(replica *pool) error {
		offset, err := replica.Highest(ctx, topic, partition, from)
		mu.Lock()
		defer mu.Unlock()
		highest = max(highest, offset)
		return err
	})
	return highest, err
}

func (s *shard) close() {
	for _, replica := range s.replicas {
		replica.Close()
	}
}
