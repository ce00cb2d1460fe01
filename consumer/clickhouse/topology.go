package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// topologyMaxAge is how long a change of the shards may go unnoticed while nothing fails.
const topologyMaxAge = time.Minute

// layout is where blocks go: the shards, and how rows are distributed over them.
type layout struct {
	sharding *sharding
	shards   []*shard
}

// topology knows the layout of a cluster, and of a single server as one shard with one replica.
type topology struct {
	cfg  Config
	log  *slog.Logger
	read func(context.Context) (clusterShape, error) // asks the cluster; nil: a single server

	reading chan struct{} // holds the one caller that reads

	mu      sync.Mutex
	known   *clusterShape
	layout  *layout
	readAt  time.Time
	stale   bool     // a server did not answer: read again before the next use
	refused bool     // what the cluster answered last cannot be used
	left    []*shard // of earlier layouts, which may be in use
}

// singleServer is the layout of the DSN's server. Its replica tries the DSN's addresses in turn.
func singleServer(cfg Config, log *slog.Logger) *topology {
	one := newReplica(maxConnections, log, func() *session { return newSession(cfg) })
	all := []*shard{{replicas: []*replica{one}, quorum: 1}}
	only := &sharding{weights: []uint64{1}, total: 1}
	return &topology{cfg: cfg, log: log, layout: &layout{sharding: only, shards: all}}
}

// newTopology is the layout of the cluster that the settings name. Nothing is read before the first use.
func newTopology(cfg Config, log *slog.Logger) *topology {
	return &topology{
		cfg: cfg, log: log, reading: make(chan struct{}, 1),
		read: func(ctx context.Context) (clusterShape, error) { return readShape(ctx, cfg, discovery{cfg}.ask) },
	}
}

// current returns the layout. It re-reads the cluster on first use, every minute, and after a failure. Replicas may
// come and go. Other shards than before are refused: a consumer that knows other shards than its peers puts rows where
// their first copies are not.
//
// One caller at a time reads, without the lock. A server that hangs must not block the other callers, who go on with
// the layout they know, unless the last answer was refused.
func (t *topology) current(ctx context.Context) (*layout, error) {
	if t.read == nil {
		return t.layout, nil
	}
	if at, ok := t.cached(false); ok {
		return at, nil
	}
	select {
	case t.reading <- struct{}{}:
	default:
		if at, ok := t.cached(true); ok {
			return at, nil
		}
		select {
		case t.reading <- struct{}{}:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrNotSent, ctx.Err())
		}
	}
	defer func() { <-t.reading }()
	if at, ok := t.cached(false); ok { // another caller has just read it
		return at, nil
	}
	shape, err := t.read(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	at, err := t.learn(shape, err)
	t.readAt, t.refused = time.Now(), err != nil
	t.stale = t.refused
	return at, err
}

// cached returns the known layout if it was read lately. With old, it also returns one that is due for reading, unless
// it was refused.
func (t *topology) cached(old bool) (*layout, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fresh := !t.stale && time.Since(t.readAt) < topologyMaxAge
	return t.layout, t.known != nil && (fresh || old && !t.refused)
}

// learn takes the answer of the cluster. When the server that was asked is away, the known layout stays: its servers
// may be there.
func (t *topology) learn(shape clusterShape, err error) (*layout, error) {
	switch _, unsuitable := errors.AsType[UnsuitableError](err); {
	case err != nil && (t.known == nil || t.refused || unsuitable):
		return nil, fmt.Errorf("%w: read the cluster's shards: %w", ErrNotSent, err)
	case err != nil:
		return t.layout, nil
	case t.known != nil && !t.known.sameShards(shape):
		return nil, fmt.Errorf("%w: %w", ErrNotSent, errOtherShards)
	case t.known != nil && slices.Equal(t.known.names(), shape.names()):
		return t.layout, nil
	}
	return t.adopt(shape)
}

// adopt makes the layout of a shape. It connects to nothing.
func (t *topology) adopt(shape clusterShape) (*layout, error) {
	sharding, err := newSharding(shape.weights)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	var all []*shard
	for n, nodes := range shape.nodes {
		quorum, err := quorumOf(t.cfg.Quorum, shape.replicas[n])
		if err == nil && quorum > shape.replicas[n] {
			err = UnsuitableError(fmt.Sprintf("--clickhouse-quorum is %d, and shard %d has only %d replicas",
				quorum, n+1, shape.replicas[n]))
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotSent, err)
		}
		if len(nodes) < quorum {
			t.log.Warn("dsn names fewer replicas than the quorum, name all of them",
				"named", len(nodes), "quorum", quorum, "replicas", shape.replicas[n])
		}
		s := &shard{quorum: quorum}
		s.next.Store(rand.Int64N(int64(len(nodes)))) // consumers begin with different replicas
		for _, one := range nodes {
			s.replicas = append(s.replicas, newReplica(maxConnections, t.log, func() *session {
				return &session{options: one.options, table: LocalTable, extra: clusterSettings(fmt.Sprint(quorum))}
			}))
		}
		all = append(all, s)
	}
	t.log.Info("cluster's shards", "cluster", t.cfg.Cluster, "weights", shape.weights, "servers", shape.names())
	if t.layout != nil {
		t.left = append(t.left, t.layout.shards...)
	}
	t.known, t.layout = &shape, &layout{sharding: sharding, shards: all}
	return t.layout, nil
}

// noted returns the error of an insert or a question. An error that did not come from ClickHouse has the cluster read
// again before the next use.
func (t *topology) noted(err error) error {
	if err != nil && Code(err) == 0 {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.stale = true
	}
	return err
}

func (t *topology) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.left
	if t.layout != nil {
		all = append(all, t.layout.shards...)
	}
	for _, s := range all {
		s.close()
	}
}
