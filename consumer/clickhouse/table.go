package clickhouse

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"sluice/consumer/rows"
	"sluice/internal/together"
)

// maxPartialTokens bounds what is remembered of blocks that were given up when only some shards had their rows. The
// partition's next owner asks the shards again.
const maxPartialTokens = 4096

// Table is the table of the rows: on one server, or on the shards of a cluster. On a cluster a block is in once each
// shard has its rows, which it gets as one block under a token of its own.
//
//	block ─split─┬▶ shard 1: one block, one token ─▶ one of its replicas
//	             └▶ shard 2: …
//
// It is safe for concurrent use.
type Table struct {
	topology *topology
	highest  *together.Questions[from, int64]
	present  *together.Questions[span, []copies]
	spans    atomic.Int64 // in one question, at most: see presentOfAll

	mu       sync.Mutex
	inserted map[string]struct{} // tokens of shards that have their rows, while other shards of the same block do not
}

// New returns the table that the settings name. It opens nothing.
func New(cfg Config, log *slog.Logger) *Table {
	if cfg.Cluster == "" {
		return tableOf(singleServer(cfg, log))
	}
	return tableOf(newTopology(cfg, log))
}

// NewSharded returns a cluster's table whose shards are given, each as the ways to its replicas. The shards weigh the
// same. It fails if a DSN cannot be used.
func NewSharded(cfg Config, log *slog.Logger, shards [][]Config) (*Table, error) {
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
		shape.weights = append(shape.weights, 1)
		shape.replicas = append(shape.replicas, len(nodes))
		shape.nodes = append(shape.nodes, nodes)
	}
	t := newTopology(cfg, log)
	t.read = func(context.Context) (clusterShape, error) { return shape, nil }
	return tableOf(t), nil
}

func tableOf(at *topology) *Table {
	t := &Table{topology: at, inserted: map[string]struct{}{}}
	t.highest, t.present = together.New(t.highestOfAll), together.New(t.presentOfAll).AtMost(askedSpans)
	t.spans.Store(askedSpans)
	return t
}

// Insert sends the rows of some blocks as one, under a token. It returns nil only when all of them are in the table,
// or were inserted under that token before. An error that is ErrNotSent says that nothing was sent. After an error
// without a code of ClickHouse's (see [Code]) the rows may be in the table, all or some of them. An attempt takes at
// most [InsertTimeout]. The blocks are not kept.
//
// A retry of the same blocks under the same token sends only what is missing: a shard that has its rows is not sent
// them again.
func (t *Table) Insert(ctx context.Context, token string, blocks ...*rows.Block) error {
	at, err := t.topology.current(ctx)
	if err != nil {
		return err
	}
	if len(at.shards) == 1 {
		return t.topology.noted(at.shards[0].write(ctx, token, blocks))
	}
	errs := make([]error, len(at.shards))
	var parts sync.WaitGroup
	for n, pieces := range at.sharding.pieces(blocks) {
		part := at.sharding.token(token, n)
		if len(pieces) == 0 || t.isInserted(part) {
			continue
		}
		parts.Go(func() {
			if errs[n] = at.shards[n].write(ctx, part, blocksOf(pieces)); errs[n] == nil {
				t.remember(part)
			}
		})
	}
	parts.Wait()
	if err := worst(errs); err != nil {
		return t.topology.noted(err)
	}
	for n := range at.shards {
		t.forget(at.sharding.token(token, n))
	}
	return nil
}

// Missing lists the rows of b, which are of one partition, ascending, that the table does not have: not with their
// offset and their event. Partitions that ask at the same time are asked for together. On a
// cluster a row is in where a quorum of one shard's replicas has it. A row that fewer replicas have is neither in nor
// missing: Missing fails, and the caller asks again. A row that the table's retention has removed is not missing.
//
// All shards are asked for all rows, because a row may be on another shard than the weights of today say.
func (t *Table) Missing(ctx context.Context, topic string, partition int, b *rows.Block) ([]int32, error) {
	offsets, ids := b.Offsets(), b.EventIDs()
	shards, err := t.present.Ask(ctx, span{topic, partition, offsets[0], offsets[len(offsets)-1]})
	if err != nil {
		return nil, err
	}
	var missing []int32
	for row := range b.Rows() {
		in, some := false, false
		for _, s := range shards {
			n := s.of(partition, storedRow{offsets[row], ids[row]})
			in, some = in || n >= s.enough, some || n > 0
		}
		switch {
		case in:
		case some:
			return nil, errBelowQuorum
		default:
			missing = append(missing, int32(row)) // rows of one block
		}
	}
	return t.unexpired(ctx, b, missing)
}

// presentOfAll asks all shards for the rows of spans. After an error the next question has half as many spans, because
// so large a question may be what takes too long. After an answer it has twice as many.
func (t *Table) presentOfAll(ctx context.Context, all []span) []together.Answer[[]copies] {
	answers := make(map[span]together.Answer[[]copies], len(all))
	var failed error
	for _, list := range togetherSpans(slices.Clone(all), int(t.spans.Load())) {
		answer := together.Answer[[]copies]{Err: failed}
		if failed == nil {
			answer.Value, answer.Err = ofShards(ctx, t, func(s *shard) (copies, error) { return s.copies(ctx, list) })
		}
		if failed = answer.Err; failed == nil {
			t.spans.Store(min(2*t.spans.Load(), askedSpans))
		}
		for _, one := range list {
			answers[one] = answer
		}
	}
	if failed != nil {
		t.spans.Store(max(t.spans.Load()/2, 1))
	}
	out := make([]together.Answer[[]copies], len(all))
	for i, one := range all {
		out[i] = answers[one]
	}
	return out
}

// Highest returns the highest offset, at least from, that the table has of a partition. It returns -1 if there is none.
// Partitions that are asked for at the same time are asked for together.
func (t *Table) Highest(ctx context.Context, topic string, partition int, offset int64) (int64, error) {
	return t.highest.Ask(ctx, from{topic, partition, offset})
}

func (t *Table) highestOfAll(ctx context.Context, all []from) []together.Answer[int64] {
	answers := map[from]together.Answer[int64]{}
	for _, list := range togetherFrom(slices.Clone(all)) {
		got, err := ofShards(ctx, t, func(s *shard) (map[int]int64, error) { return s.highest(ctx, list) })
		highest := map[int]int64{}
		for _, one := range got {
			mergeHighest(highest, one)
		}
		for _, f := range list {
			answer := together.Answer[int64]{Value: -1, Err: err}
			if offset, ok := highest[f.partition]; ok && err == nil && offset >= f.offset {
				answer.Value = offset
			}
			answers[f] = answer
		}
	}
	out := make([]together.Answer[int64], len(all))
	for i, f := range all {
		out[i] = answers[f]
	}
	return out
}

// Held counts the offsets between from and to, both included, that have a row.
func (t *Table) Held(ctx context.Context, topic string, partition int, from, to int64) (int64, error) {
	counts, err := ofShards(ctx, t, func(s *shard) (int64, error) { return s.held(ctx, topic, partition, from, to) })
	if err != nil {
		return 0, err
	}
	sum := int64(0) // each shard has other rows
	for _, n := range counts {
		sum += n
	}
	return sum, nil
}

// ofShards asks each shard.
func ofShards[A any](ctx context.Context, t *Table, ask func(*shard) (A, error)) ([]A, error) {
	at, err := t.topology.current(ctx)
	if err != nil {
		return nil, err
	}
	answers := make([]A, len(at.shards))
	err = each(at.shards, func(n int, s *shard) (err error) {
		answers[n], err = ask(s)
		return err
	})
	return answers, t.topology.noted(err)
}

// ShardOf returns, for each row of b, the number of the shard that the row goes to, from 0. Rows of different shards
// have different tokens.
func (t *Table) ShardOf(ctx context.Context, b *rows.Block) ([]int, error) {
	at, err := t.topology.current(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]int, b.Rows())
	if len(at.shards) == 1 {
		return out, nil
	}
	for n, picked := range at.sharding.split(b) {
		for _, row := range picked {
			out[row] = n
		}
	}
	return out, nil
}

// Close closes the connections. No other method may be called afterwards.
func (t *Table) Close() { t.topology.close() }

func (t *Table) isInserted(token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.inserted[token]
	return ok
}

func (t *Table) remember(token string) {
	if token == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.inserted) >= maxPartialTokens {
		clear(t.inserted)
	}
	t.inserted[token] = struct{}{}
}

func (t *Table) forget(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.inserted, token)
}
