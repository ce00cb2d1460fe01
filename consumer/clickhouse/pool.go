package clickhouse

import (
	"context"
	"log/slog"
	rowsroom "sluice/consumer/rows"
	"sync"
)

// connections is how many inserts are under way at a time, over all partitions: each connection holds a block's bytes twice, as they
// are and compressed, and a few inserts at a time are all that a server is faster with.
const connections = 4

// pool shares a few connections among all partitions, first come, first served.
type pool struct {
	free chan *inserter
	log  *slog.Logger

	mu   sync.Mutex
	said string
}

func newPool(cfg Config, log *slog.Logger) *pool {
	return poolOf(connections, log, func() *inserter { return newInserter(cfg) })
}

func poolOf(size int, log *slog.Logger, fresh func() *inserter) *pool {
	p := &pool{free: make(chan *inserter, size), log: log}
	for range size {
		i := fresh()
		i.said = p.say
		p.free <- i
	}
	return p
}

// say logs what is wrong with a server, once.
func (p *pool) say(s *Server) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fault := s.Fault(); fault != "" && fault != p.said {
		p.said = fault
		p.log.Error("this clickhouse is not one to rely on", "version", s.Version, "why", fault)
	}
}

// use lends a connection.
func (p *pool) use(ctx context.Context, fn func(*inserter) error) error {
	select {
	case i := <-p.free:
		defer func() { p.free <- i }()
		return fn(i)
	case <-ctx.Done():
		return ErrNotSent
	}
}

func (p *pool) Insert(ctx context.Context, b *rowsroom.Block, token string) error {
	return p.use(ctx, func(i *inserter) error { return i.Insert(ctx, b, token) })
}

func (p *pool) Missing(ctx context.Context, topic string, partition int, b *rowsroom.Block) (rows []int32, err error) {
	err = p.use(ctx, func(i *inserter) error {
		rows, err = i.Missing(ctx, topic, partition, b)
		return err
	})
	return rows, err
}

func (p *pool) Highest(ctx context.Context, topic string, partition int, from int64) (offset int64, err error) {
	err = p.use(ctx, func(i *inserter) error {
		offset, err = i.Highest(ctx, topic, partition, from)
		return err
	})
	return offset, err
}

func (p *pool) present(ctx context.Context, topic string, partition int, b *rowsroom.Block) (rows map[stored]struct{}, err error) {
	err = p.use(ctx, func(i *inserter) error {
		rows, err = i.present(ctx, topic, partition, b)
		return err
	})
	return rows, err
}

// Close closes the connections that nobody uses, at the end of all use.
func (p *pool) Close() {
	for {
		select {
		case i := <-p.free:
			i.Close()
		default:
			return
		}
	}
}
