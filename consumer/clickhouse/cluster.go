package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	rowsroom "sluice/consumer/rows"
	"sync"
	"time"
)

// Table is events_raw of a single server, or of a cluster.
//
// insert sends one block under one token and returns nil only when all of its rows are in the table, or were under that token before;
// after errNotSent nothing was sent, after an error without a code of ClickHouse's anything may have happened. missing, highest and held
// see what was in the table when they were called. Safe for concurrent use; a block is not kept.
type Table interface {
	Insert(ctx context.Context, b *rowsroom.Block, token string) error
	// missing lists the rows of b, ascending, that the table does not have: not with that offset and that event.
	Missing(ctx context.Context, topic string, partition int, b *rowsroom.Block) ([]int32, error)
	// highest is the highest offset from one on that the table has of a partition, -1 for none.
	Highest(ctx context.Context, topic string, partition int, from int64) (int64, error)
	// held is how many offsets from one to another, both included, have a row.
	Held(ctx context.Context, topic string, partition int, from, to int64) (int64, error)
	// column names the column that an insert failed at, or nothing where that is not known.
	Column(ctx context.Context, err error) string
	// close closes the connections, at the end of all use.
	Close()
}

// New is the table of a single server, or of a cluster. It opens nothing.
func New(cfg Config, log *slog.Logger) Table {
	if cfg.Cluster == "" {
		return newPool(cfg, log)
	}
	return newClusterTable(cfg, log)
}

// clusterTable is events_local on all shards of a cluster. A block is in once each shard has its rows of it, under a token of the shard's.
//
//	block ─split─┬▶ shard 1: one block, one token ─▶ one of its replicas
//	             └▶ shard 2: …
type clusterTable struct {
	cfg    Config
	log    *slog.Logger
	shape  func(context.Context) (clusterShape, error) // a seam for tests
	door   *pool                                       // to the DSN's servers
	asking chan struct{}                               // has room for one, who asks for the shape

	mu      sync.Mutex
	known   *clusterShape
	spread  *shards
	shards  []*shard
	looked  time.Time
	stale   bool // a server did not answer: look whether it is still one
	refused bool // what the shards are now is not to be worked with
	left    []*shard

	in map[string]struct{} // tokens of shards that are in, while other shards of their block are not
}

// mostHalfIn bounds what is remembered of blocks that were given up half-way: whoever takes them over asks the shards again.
const mostHalfIn = 4096

func newClusterTable(cfg Config, log *slog.Logger) *clusterTable {
	c := &clusterTable{cfg: cfg, log: log, asking: make(chan struct{}, 1), door: poolOf(1, log, func() *inserter {
		i := newInserter(cfg)
		i.table = LocalTable
		return i
	}), in: map[string]struct{}{}}
	c.shape = func(ctx context.Context) (clusterShape, error) {
		return readShape(ctx, cfg, func(ctx context.Context, query string) (lines []string, err error) {
			err = c.door.use(ctx, func(i *inserter) error { return i.texts(ctx, query, func(text string) { lines = append(lines, text) }) })
			return lines, err
		})
	}
	return c
}

// NewSharded is a cluster's table whose shards are given, each as the ways to its replicas, in place of what system.clusters says.
func NewSharded(cfg Config, log *slog.Logger, shards [][]Config) (Table, error) {
	var shape clusterShape
	for _, replicas := range shards {
		var nodes []node
		for _, replica := range replicas {
			opts, err := replica.Options()
			if err != nil {
				return nil, err
			}
			nodes = append(nodes, node{name: opts.Addr[0], options: replica.Options})
		}
		shape.weights, shape.replicas, shape.nodes = append(shape.weights, 1), append(shape.replicas, len(nodes)), append(shape.nodes, nodes)
	}
	c := newClusterTable(cfg, log)
	c.shape = func(context.Context) (clusterShape, error) { return shape, nil }
	return c, nil
}

// lookEvery is how long a change of the shards may go unnoticed while nothing fails.
const lookEvery = time.Minute

// look returns the shards, and reads at first, now and then, and after a failure what they are. Replicas may come and go; a consumer that knew other shards than
// its peers would put rows where their first copies are not.
//
// One caller at a time asks, without the lock: a server that stands still must not hold up the others, who go on with the shards that
// are known, unless those were refused.
func (c *clusterTable) look(ctx context.Context) (*shards, []*shard, error) {
	if spread, all, ok := c.current(false); ok {
		return spread, all, nil
	}
	select {
	case c.asking <- struct{}{}:
	default:
		if spread, all, ok := c.current(true); ok {
			return spread, all, nil
		}
		select {
		case c.asking <- struct{}{}:
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("%w: %w", ErrNotSent, ctx.Err())
		}
	}
	defer func() { <-c.asking }()
	if spread, all, ok := c.current(false); ok { // somebody asked meanwhile
		return spread, all, nil
	}
	shape, err := c.shape(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	spread, all, err := c.learn(shape, err)
	c.looked, c.refused = time.Now(), err != nil
	c.stale = c.refused
	return spread, all, err
}

// current is what is known of the shards, if that was looked at lately; or if it was not refused, where old is good enough.
func (c *clusterTable) current(old bool) (*shards, []*shard, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh := !c.stale && time.Since(c.looked) < lookEvery
	return c.spread, c.shards, c.known != nil && (fresh || old && !c.refused)
}

// learn takes the answer to what the shards are.
func (c *clusterTable) learn(shape clusterShape, err error) (*shards, []*shard, error) {
	switch _, unfit := errors.AsType[UnfitError](err); {
	case err != nil && (c.known == nil || c.refused || unfit):
		return nil, nil, fmt.Errorf("%w: read the cluster's shards: %w", ErrNotSent, err)
	case err != nil:
		return c.spread, c.shards, nil // the server that says it is away; those that are known may be there
	case c.known != nil && !c.known.sameShards(shape):
		return nil, nil, fmt.Errorf("%w: %w", ErrNotSent, errOtherShards)
	case c.known != nil && slices.Equal(c.known.names(), shape.names()):
		return c.spread, c.shards, nil
	}
	return c.take(shape)
}

// take makes connections to the cluster's servers as they are now.
func (c *clusterTable) take(shape clusterShape) (*shards, []*shard, error) {
	spread, err := newShards(shape.weights)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	var all []*shard
	for n, nodes := range shape.nodes {
		quorum, err := quorumOf(c.cfg.Quorum, shape.replicas[n])
		if err == nil && quorum > shape.replicas[n] {
			err = UnfitError(fmt.Sprintf("--clickhouse-quorum is %d, and shard %d has only %d replicas", quorum, n+1, shape.replicas[n]))
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrNotSent, err)
		}
		if len(nodes) < quorum {
			c.log.Warn("dsn names fewer replicas than must have a block, name all of them", "named", len(nodes), "quorum", quorum, "replicas", shape.replicas[n])
		}
		s := &shard{quorum: quorum}
		s.turn.Store(rand.Int64N(int64(len(nodes)))) // consumers begin with different ones
		for _, one := range nodes {
			s.replicas = append(s.replicas, poolOf(connections, c.log, func() *inserter {
				return &inserter{options: one.options, table: LocalTable, more: clusterSettings(fmt.Sprint(quorum))}
			}))
		}
		all = append(all, s)
	}
	c.log.Info("cluster's shards", "cluster", c.cfg.Cluster, "weights", shape.weights, "servers", shape.names())
	c.left = append(c.left, c.shards...) // they may be in use
	c.known, c.spread, c.shards = &shape, spread, all
	return spread, all, nil
}

// failed has the cluster looked at again before the next try.
func (c *clusterTable) failed(err error) error {
	if err != nil && Code(err) == 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.stale = true
	}
	return err
}

func (c *clusterTable) Insert(ctx context.Context, b *rowsroom.Block, token string) error {
	spread, all, err := c.look(ctx)
	if err != nil {
		return err
	}
	if len(all) == 1 {
		return c.failed(all[0].insert(ctx, b, token))
	}
	errs := make([]error, len(all))
	var parts sync.WaitGroup
	for n, rows := range spread.split(b) {
		if part := spread.token(token, n); len(rows) > 0 && !c.isIn(part) {
			parts.Go(func() {
				piece := b
				if len(rows) < b.Rows() {
					piece = b.Pick(rows)
				}
				if errs[n] = all[n].insert(ctx, piece, part); errs[n] == nil {
					c.note(part)
				}
			})
		}
	}
	parts.Wait()
	if err := worst(errs); err != nil {
		return c.failed(err)
	}
	for n := range all {
		c.forget(spread.token(token, n))
	}
	return nil
}

// worst is the error that decides what is done next: an answer that never came, then one that time or somebody mends, and one that may be
// the block's fault only once nothing else is in the way.
func worst(errs []error) (err error) {
	at, rank := 0, 0
	for n, e := range errs {
		if r := rankOf(e); r > rank {
			at, rank, err = n, r, e
		}
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("shard %d: %w", at+1, err)
}

func rankOf(err error) int {
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

// ShardOf is for each row the shard that it goes to.
func (c *clusterTable) ShardOf(ctx context.Context, b *rowsroom.Block) ([]int, error) {
	spread, _, err := c.look(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]int, b.Rows())
	for n, rows := range spread.split(b) {
		for _, row := range rows {
			out[row] = n
		}
	}
	return out, nil
}

func (c *clusterTable) isIn(token string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.in[token]
	return ok
}

func (c *clusterTable) note(token string) {
	if token == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.in) >= mostHalfIn {
		clear(c.in)
	}
	c.in[token] = struct{}{}
}

func (c *clusterTable) forget(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.in, token)
}

// Missing asks all shards for all rows: with other weights than now a row may have been put on another shard. A row is in where enough replicas of
// one shard have it; one that fewer have is neither in nor missing yet.
func (c *clusterTable) Missing(ctx context.Context, topic string, partition int, b *rowsroom.Block) ([]int32, error) {
	_, all, err := c.look(ctx)
	if err != nil {
		return nil, err
	}
	copies := make([][]int, len(all))
	if err := each(all, func(n int, s *shard) (err error) {
		copies[n], err = s.copies(ctx, topic, partition, b)
		return err
	}); err != nil {
		return nil, c.failed(err)
	}
	var missing []int32
	for row := range b.Rows() {
		in, some := false, false
		for n, s := range all {
			in = in || copies[n][row] >= s.enough()
			some = some || copies[n][row] > 0
		}
		switch {
		case in:
		case some:
			return nil, errFewer
		default:
			missing = append(missing, int32(row)) //nolint:gosec // rows of one block
		}
	}
	return missing, nil
}

func (c *clusterTable) Highest(ctx context.Context, topic string, partition int, from int64) (int64, error) {
	_, all, err := c.look(ctx)
	if err != nil {
		return -1, err
	}
	offsets := make([]int64, len(all))
	if err := each(all, func(n int, s *shard) (err error) {
		offsets[n], err = s.highest(ctx, topic, partition, from)
		return err
	}); err != nil {
		return -1, c.failed(err)
	}
	return slices.Max(offsets), nil
}

// each asks all shards at once.
func each(all []*shard, ask func(int, *shard) error) error {
	errs := make([]error, len(all))
	var done sync.WaitGroup
	for n, s := range all {
		done.Go(func() { errs[n] = ask(n, s) })
	}
	done.Wait()
	return worst(errs)
}

func (c *clusterTable) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.door.Close()
	for _, s := range append(c.left, c.shards...) {
		s.close()
	}
}
