package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"sluice/consumer/rows"
)

// shard is a set of replicas that hold the same rows. An insert goes to one of them, and to the next one when that one
// does not take it. The replicas share the tokens that they know.
type shard struct {
	replicas []*replica
	quorum   int // how many replicas must have a row
	next     atomic.Int64
}

// write inserts the rows of some blocks as one. Where nothing was sent it tries the next replica at once. After any
// other failure the next replica gets the next attempt.
func (s *shard) write(ctx context.Context, token string, blocks []*rows.Block) (err error) {
	return s.insert(ctx, func(c *session) error { return c.send(ctx, token, blocks...) })
}

// insert is write for whatever a session inserts.
func (s *shard) insert(ctx context.Context, send func(*session) error) (err error) {
	for range s.replicas {
		next := s.next.Load()
		err = s.replicas[next%int64(len(s.replicas))].use(ctx, send)
		if err == nil || FaultOf(err) == FaultData || ctx.Err() != nil {
			return err
		}
		s.next.CompareAndSwap(next, next+1)
		if !errors.Is(err, ErrNotSent) {
			return err
		}
	}
	return err
}

// ask asks all replicas at once. It needs answers from a quorum: if the quorum is a majority, one of the replicas that
// answer has every acknowledged row.
func (s *shard) ask(ctx context.Context, question func(*session) error) error {
	errs := make([]error, len(s.replicas))
	var all sync.WaitGroup
	for n, one := range s.replicas {
		all.Go(func() { errs[n] = one.use(ctx, question) })
	}
	all.Wait()
	if len(errs) == 1 {
		return errs[0]
	}
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

// enough is the quorum, but at most the number of replicas that can be reached.
func (s *shard) enough() int { return min(s.quorum, len(s.replicas)) }

// copies is what the replicas of a shard have, and how many of them must have a row.
type copies struct {
	replicas []stored
	enough   int
}

// of counts the replicas that have a row.
func (c copies) of(partition int, row storedRow) (n int) {
	for _, one := range c.replicas {
		if _, ok := one[partition][row]; ok {
			n++
		}
	}
	return n
}

// copies returns what the replicas have of a list of togetherSpans.
func (s *shard) copies(ctx context.Context, all []span) (copies, error) {
	out := copies{enough: s.enough()}
	var mu sync.Mutex
	err := s.ask(ctx, func(c *session) error {
		there, err := c.present(ctx, all)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		out.replicas = append(out.replicas, there)
		return nil
	})
	return out, err
}

// highest returns the highest answers of the replicas, by partition.
func (s *shard) highest(ctx context.Context, all []from) (map[int]int64, error) {
	highest := map[int]int64{}
	var mu sync.Mutex
	err := s.ask(ctx, func(c *session) error {
		got, err := c.highest(ctx, all)
		mu.Lock()
		defer mu.Unlock()
		mergeHighest(highest, got)
		return err
	})
	return highest, err
}

// mergeHighest takes into one answer the partitions of another that are higher.
func mergeHighest(into, other map[int]int64) {
	for partition, offset := range other {
		if known, ok := into[partition]; !ok || offset > known {
			into[partition] = offset
		}
	}
}

// held returns the answer of the replica that has the most rows.
func (s *shard) held(ctx context.Context, topic string, partition int, from, to int64) (int64, error) {
	return s.most(ctx, 0, func(c *session) (int64, error) { return c.held(ctx, topic, partition, from, to) })
}

// most returns the largest answer, at least the given one.
func (s *shard) most(ctx context.Context, least int64, question func(*session) (int64, error)) (int64, error) {
	most := least
	var mu sync.Mutex
	err := s.ask(ctx, func(c *session) error {
		n, err := question(c)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			most = max(most, n)
		}
		return err
	})
	return most, err
}

func (s *shard) close() {
	for _, one := range s.replicas {
		one.close()
	}
}

// each asks all shards at once.
func each(all []*shard, ask func(int, *shard) error) error {
	errs := make([]error, len(all))
	var done sync.WaitGroup
	for n, s := range all {
		done.Go(func() { errs[n] = ask(n, s) })
	}
	done.Wait()
	if len(errs) == 1 {
		return errs[0]
	}
	return worst(errs)
}

// worst returns the error that decides what is done next. An answer that never came goes before an error that time or
// somebody mends. An error that may be the block's fault counts only when nothing else is in the way.
func worst(errs []error) (err error) {
	at, severest := 0, 0
	for n, e := range errs {
		if r := severity(e); r > severest {
			at, severest, err = n, r, e
		}
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("shard %d: %w", at+1, err)
}

func severity(err error) int {
	if err == nil {
		return 0
	}
	if IsUncertain(err) {
		return 5
	}
	switch FaultOf(err) {
	case FaultData:
		return 1
	case FaultUnclear:
		return 2
	case FaultSize:
		return 3
	default:
		return 4
	}
}
